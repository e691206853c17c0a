"""Whether the ledger's promises hold whatever is done to it, in whatever order, by whomever."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy import text

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.contracts.commands import command_message, command_of
from spine_common.contracts.routing import DEAD_LETTER_QUEUE
from spine_common.core.errors import FenceLost, NotCancellable, NotRetryable, classify, code_of
from spine_common.core.execution import TERMINAL, Execution
from spine_common.core.ids import ExecutionId
from spine_common.core.letters import LetterState
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.audit import replay, verify
from spine_common.framework.cancel import cancel
from spine_common.framework.commit import commit
from spine_common.framework.deadletters import DeadLetterDesk, judge_unseen
from spine_common.framework.dispatcher import Dispatcher
from spine_common.framework.lease import LeaseTerms, claim, fail_expired, hold_fence
from spine_common.framework.ports.bus import Delivery
from spine_common.framework.ports.deadletters import LetterFilter
from spine_common.framework.ports.ledger import OutboxRow
from spine_common.framework.retry import RetryPolicy
from spine_common.framework.review import DeadLetterReview
from spine_common.framework.stage import PlainResult
from spine_common.framework.verdict import fail

from .builders import REGISTRY

POLICY = RetryPolicy(max_retries=1, base=0.001, cap=0.001)
HELD, OVER = LeaseTerms(seconds=60), LeaseTerms(seconds=-1)
_Answer = TypeVar("_Answer")


FOR_A_PERSON = LetterFilter(
    states=(LetterState.WAITING, LetterState.RETRIED, LetterState.DISCARDED)
)


class LedgerMachine(RuleBasedStateMachine):
    """Workers, relays, desks, people and sweepers, one step at a time in any order.

    What a step may refuse is refused in our words; everything else is a finding.
    """

    url = ""
    executions = Bundle("executions")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.database = SqlDatabase(self.url)
        self.dispatcher = Dispatcher(REGISTRY, self.database, lambda: None)
        self.desk = DeadLetterDesk(REGISTRY, self.database, POLICY, lambda: None)
        self.review = DeadLetterReview(self.database, lambda: None)
        # No bundles: what is in them would depend on what a step found, and so on the clock.
        self.claims: list[Execution] = []
        self.rows: list[OutboxRow] = []
        self.do(self.emptied())
        self.fences: dict[ExecutionId, int] = {}
        self.ended: dict[ExecutionId, str] = {}

    def do(self, step: Awaitable[_Answer]) -> _Answer:
        return self.loop.run_until_complete(step)

    async def emptied(self) -> None:
        """Begin with nothing, as the example before did."""
        async with self.database.transaction() as tx:
            await tx._connection.execute(
                text("TRUNCATE executions, execution_events, outbox, dead_letters")
            )

    def a_claim(self, number: int) -> Execution | None:
        return self.claims[number % len(self.claims)] if self.claims else None

    def teardown(self) -> None:
        self.do(self.database.close())
        self.loop.close()

    @rule(target=executions, n=st.integers(0, 3))
    def somebody_orders(self, n: int) -> ExecutionId:
        params = {"n": n}
        ordered = self.do(
            self.dispatcher.submit("suite.work", params, trigger_source=TriggerSource.API)
        )
        assert ordered.is_open
        return ordered.execution_id

    @rule(one=executions, terms=st.sampled_from([HELD, OVER]))
    def a_worker_claims(self, one: ExecutionId, terms: LeaseTerms) -> None:
        async def step() -> Any:
            async with self.database.transaction() as tx:
                now = await tx.ledger.get(one)
                assert now is not None
                return await claim(tx, command_of(now), "worker", terms, alone=True)

        claimed = self.do(step())
        if isinstance(claimed, Execution):
            assert claimed.fence > self.fences.get(one, 0), "a fence was given twice"
            self.fences[one] = claimed.fence
            self.claims.append(claimed)

    @rule(number=st.integers(0, 99))
    def a_worker_commits(self, number: int) -> None:
        if (claimed := self.a_claim(number)) is None:
            return

        async def step() -> None:
            async with self.database.transaction() as tx:
                await commit(tx, REGISTRY, claimed, PlainResult({"fence": claimed.fence}))

        with suppress(FenceLost):
            self.do(step())
            assert claimed.fence == self.fences[claimed.execution_id], "a stale fence committed"

    @rule(number=st.integers(0, 99), error=st.sampled_from([OSError("gone"), ValueError("wrong")]))
    def a_worker_fails(self, number: int, error: Exception) -> None:
        if (claimed := self.a_claim(number)) is None:
            return

        async def step() -> None:
            async with self.database.transaction() as tx:
                held = await hold_fence(tx, claimed)
                await fail(tx, held, classify(error), code_of(error), str(error))

        with suppress(FenceLost):
            self.do(step())

    @rule(number=st.integers(0, 99))
    def a_worker_lets_go(self, number: int) -> None:
        if (claimed := self.a_claim(number)) is None:
            return

        async def step() -> None:
            async with self.database.transaction() as tx:
                await hold_fence(tx, claimed)
                await tx.ledger.let_go(claimed.execution_id)

        with suppress(FenceLost):
            self.do(step())

    @rule(limit=st.integers(1, 3))
    def a_relay_claims(self, limit: int) -> None:
        async def step() -> list[OutboxRow]:
            async with self.database.transaction() as tx:
                return await tx.outbox.claim(limit=limit, lease=0.001)

        self.rows += self.do(step())

    @rule(number=st.integers(0, 99))
    def a_relay_marks(self, number: int) -> None:
        if not self.rows:
            return
        row = self.rows[number % len(self.rows)]

        async def step() -> None:
            async with self.database.transaction() as tx:
                await tx.ledger.record_queued([row])
                await tx.outbox.mark_sent([row])

        self.do(step())

    @rule(one=executions)
    def a_dead_letter_arrives(self, one: ExecutionId) -> None:
        async def step() -> None:
            async with self.database.reading() as tx:
                now = await tx.ledger.get(one)
            assert now is not None
            message = command_message(now)
            await self.desk.handle(
                Delivery(message.body, {}, DEAD_LETTER_QUEUE, message.message_id, redelivered=True)
            )

        self.do(step())

    @rule(one=executions)
    def somebody_cancels(self, one: ExecutionId) -> None:
        with suppress(NotCancellable):
            self.do(cancel(self.database, REGISTRY, one, "by hand"))

    @rule()
    def somebody_retries_all(self) -> None:
        self.do(self.review.retry_all(LetterFilter()))

    @rule()
    def somebody_discards_one(self) -> None:
        async def step() -> None:
            async with self.database.reading() as tx:
                waiting = await tx.dead_letters.ids(LetterFilter(), limit=1)
            for letter in waiting:
                await self.review.discard(letter, "by hand")

        with suppress(NotRetryable):
            self.do(step())

    @rule(one=executions)
    def a_sweeper_comes_by(self, one: ExecutionId) -> None:
        async def step() -> None:
            async with self.database.transaction() as tx:
                if one in [lost.execution_id for lost in await tx.overdue.leases(0.0, 100)]:
                    locked = await tx.ledger.lock(one)
                    assert locked is not None
                    failed = await fail_expired(tx, locked.execution)
                    await judge_unseen(tx, REGISTRY, POLICY, failed)
                elif one in await tx.overdue.verdicts(-1.0, 100):
                    locked = await tx.ledger.lock(one)
                    assert locked is not None
                    await judge_unseen(tx, REGISTRY, POLICY, locked.execution)

        self.do(step())

    @rule()
    def the_ledger_is_replayed(self) -> None:
        assert self.do(replay(self.database)).changed == []

    @invariant()
    def the_ledger_is_consistent(self) -> None:
        assert self.do(verify(self.database)).violations == []

    @invariant()
    def an_end_is_an_end(self) -> None:
        async def step() -> list[Execution]:
            async with self.database.reading() as tx:
                return await tx.ledger.recent(limit=1000)

        for execution in self.do(step()):
            was = self.ended.get(execution.execution_id)
            assert was in {None, execution.status}, "an end was not the end"
            if execution.status in TERMINAL:
                self.ended[execution.execution_id] = execution.status

    @invariant()
    def what_was_given_up_is_a_person_s(self) -> None:
        async def step() -> set[str]:
            async with self.database.reading() as tx:
                given_up = await tx.ledger.recent(status="dead_lettered", limit=1000)
                ids = await tx.dead_letters.ids(FOR_A_PERSON, limit=1000)
                letters = [await tx.dead_letters.show(one) for one in ids]
            told = {letter["execution_id"] for letter in letters}
            return {one.execution_id for one in given_up} - told

        assert self.do(step()) == set()


@pytest.mark.slow
@pytest.mark.parametrize("database_url", ["postgres_url"], indirect=True)
def test_the_ledger_holds_whatever_happens(database_url: str):
    class Machine(LedgerMachine):
        url = database_url

    Machine.TestCase.settings = settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    Machine.TestCase("runTest").runTest()
