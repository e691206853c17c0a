"""One delivery, from bytes to outcome: decode, claim, run the stage, commit; never ack."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import stamina
import structlog

from spine_common.contracts.commands import Command, command_of, read_command
from spine_common.core.errors import (
    AlreadyDone,
    DatabaseUnavailable,
    DeadlineExceeded,
    FenceLost,
    PipelineFailed,
    PoisonMessage,
    SpineError,
    classify,
    code_of,
)
from spine_common.core.execution import Execution, Status
from spine_common.core.pipeline import Pipeline, Stage
from spine_common.core.texts import storable
from spine_common.framework import workflow
from spine_common.framework.commit import commit, skip
from spine_common.framework.context import StageContext
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.lease import LeaseTerms, Suspect, claim, heartbeat, hold_fence
from spine_common.framework.outcome import Done, Failed, Outcome, PutBack, Stale, verdict_of
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.framework.ports.database import Transaction
from spine_common.framework.stage import PlainResult, StageFunction, StageOutput, StageResult
from spine_common.framework.turns import Turns
from spine_common.framework.verdict import fail

log = structlog.get_logger(__name__)

_LET_GO_SECONDS = 2.0
_COMMIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Handled:
    """What an observer is told about one delivery."""

    command: Command | None
    outcome: Outcome
    seconds: float
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Taken:
    """How a command ended that had its turn; ``seconds`` without the wait for that."""

    outcome: Outcome
    rows: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


Observer = Callable[[Handled], None]


class StageRunner:
    """Runs the commands of the stages it is given. ``owner`` names this process in leases.

    ``turns`` is the process's own, shared by all its runners: what has lost a worker before is
    run alone, so that it can take nobody with it if it does so again.
    """

    def __init__(  # noqa: PLR0913 - the composition root names each part
        self,
        context: StageContext,
        stages: Mapping[Stage, StageFunction],
        *,
        owner: str,
        terms: LeaseTerms,
        turns: Turns,
        nudge: Callable[[], None],
        observe: Observer,
    ) -> None:
        self._context = context
        self._stages = stages
        self._owner = owner
        self._terms = terms
        self._turns = turns
        self._nudge = nudge
        self._observe = observe

    async def handle(self, delivery: Delivery) -> Verdict:
        """Handle one delivery and say what becomes of it."""
        command: Command | None = None
        try:
            command = read_command(delivery.body)
            structlog.contextvars.bind_contextvars(
                execution_id=command.execution_id, pipeline=command.pipeline
            )
            taken = await self._take(command)
        except PoisonMessage as poison:
            log.warning("message_parked", code=poison.code, error=str(poison))
            taken = _Taken(Failed(None, poison.kind, poison.code, str(poison)))
        finally:
            structlog.contextvars.clear_contextvars()
        self._observe(Handled(command, taken.outcome, taken.seconds, taken.rows))
        self._nudge()
        return verdict_of(taken.outcome)

    async def _take(self, command: Command) -> _Taken:
        # While the database is away the consumer holds its few messages and waits: rejecting
        # them would turn an outage into dead letters. Nobody waits for them meanwhile.
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailable, attempts=None, timeout=None, wait_initial=0.2, wait_max=5.0
        ):
            with attempt:
                async with self._turns.beside_others():
                    taken = await self._take_turn(command, alone=False)
                return taken or await self._take_alone(command)
        raise AssertionError("unreachable")

    async def _take_alone(self, command: Command) -> _Taken:
        patience = self._terms.seconds
        async with self._turns.alone(patience) as has_turn:
            taken = await self._take_turn(command, alone=True) if has_turn else None
        return taken or await self._put_off(command, PutBack(patience))

    async def _take_turn(self, command: Command, *, alone: bool) -> _Taken | None:
        """Claim and run it; None if it must not run beside others."""
        began = time.perf_counter()
        claimed = await self._claim(command, alone=alone)
        if isinstance(claimed, Suspect):
            return None
        if alone and isinstance(claimed, Execution):
            log.info("runs_alone")
        outcome, rows = await self._run(claimed)
        return _Taken(outcome, rows, time.perf_counter() - began)

    async def _run(
        self, claimed: Execution | Stale | PutBack | Failed
    ) -> tuple[Outcome, Mapping[str, int]]:
        if not isinstance(claimed, Execution):
            log.info("command_not_run", reason=claimed)
            return claimed, {}
        try:
            async with heartbeat(self._context.database, claimed, self._terms):
                # What runs is what the ledger recorded, whatever the message says.
                output = await self._work(command_of(claimed))
                await reached(Failpoint.WORK_DONE)
            # No heartbeat here: the commit holds the execution's row, and the fence is checked.
            ended = await self._commit(claimed, output)
        except FenceLost as lost:
            log.warning("fence_lost", error=str(lost))
            return Stale(str(lost)), {}
        except asyncio.CancelledError:
            await asyncio.shield(self._let_go(claimed))
            raise
        except Exception as error:
            ours = isinstance(error, SpineError)
            log.warning("attempt_failed", error=_said_by(error), exc_info=not ours)
            return await self._fail(claimed, error), {}
        log.info("execution_ended", status=ended.status, result=dict(ended.result))
        return Done(ended.status), _rows(output)

    async def _claim(
        self, command: Command, *, alone: bool
    ) -> Execution | Stale | PutBack | Failed | Suspect:
        async with self._context.database.transaction() as tx:
            claimed = await claim(tx, command, self._owner, self._terms, alone=alone)
            if isinstance(claimed, PutBack):
                await _order_again(tx, command, claimed)
            if isinstance(claimed, Execution):
                await workflow.note_start(tx, claimed)
        if isinstance(claimed, Execution):
            await reached(Failpoint.CLAIM_COMMITTED)
        return claimed

    async def _put_off(self, command: Command, until: PutBack) -> _Taken:
        async with self._context.database.transaction() as tx:
            await _order_again(tx, command, until)
        log.info("command_not_run", reason=until)
        return _Taken(until)

    async def _work(self, command: Command) -> StageOutput:
        pipeline = self._context.registry.pipeline(command.pipeline)
        try:
            async with asyncio.timeout(self._terms.deadline) as limit:
                if pipeline.run is not None:
                    return await self._run_plain(pipeline, command)
                return await self._stages[command.stage](command, self._context)
        except TimeoutError as error:
            if not limit.expired():
                raise  # what the stage waited for was too slow, not the stage
            raise DeadlineExceeded(
                f"{command.pipeline} took longer than {self._terms.deadline:g} s."
            ) from error

    async def _run_plain(self, pipeline: Pipeline, command: Command) -> PlainResult:
        assert pipeline.run is not None  # noqa: S101 - narrows for the type checker
        result = await self._context.compute(pipeline.run, command.params)
        if result.error is not None:
            raise PipelineFailed(result.error)
        return PlainResult(result.metrics)

    async def _commit(self, claimed: Execution, output: StageOutput) -> Execution:
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailable, attempts=None, timeout=_COMMIT_SECONDS, wait_max=5.0
        ):
            with attempt:
                try:
                    async with self._context.database.transaction() as tx:
                        ended = await commit(tx, self._context.registry, claimed, output)
                        await reached(Failpoint.COMMIT_BEFORE)
                    await reached(Failpoint.COMMIT_AFTER)
                except AlreadyDone as done:
                    assert isinstance(output, StageResult)  # noqa: S101 - only these raise it
                    async with self._context.database.transaction() as tx:
                        return await skip(tx, self._context.registry, claimed, output, str(done))
                except FenceLost:
                    # The commit before may have gone through and only its reply was lost.
                    left = await self._as_we_left_it(claimed)
                    if left and left.status in {Status.COMPLETED, Status.SKIPPED}:
                        return left
                    raise
                return ended
        raise AssertionError("unreachable")

    async def _as_we_left_it(self, claimed: Execution) -> Execution | None:
        """Return the execution as it stands, or None when another worker has taken it over."""
        async with self._context.database.reading() as tx:
            now = await tx.ledger.get(claimed.execution_id)
        return now if now and now.fence == claimed.fence else None

    async def _let_go(self, claimed: Execution) -> None:
        """Drop the lease at a shutdown, so that the next worker need not wait for its end."""
        with contextlib.suppress(SpineError, TimeoutError):
            async with asyncio.timeout(_LET_GO_SECONDS), self._context.database.transaction() as tx:
                await hold_fence(tx, claimed)
                await tx.ledger.let_go(claimed.execution_id)

    async def _fail(self, claimed: Execution, error: Exception) -> Outcome:
        """Record the failure in a transaction of its own: the stage's was rolled back."""
        kind, code, message = classify(error), code_of(error), _said_by(error)
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=5.0
        ):
            with attempt:
                try:
                    async with self._context.database.transaction() as tx:
                        execution = await hold_fence(tx, claimed)
                        await fail(tx, execution, kind, code, message)
                    await reached(Failpoint.FAILURE_RECORDED)
                except FenceLost as lost:
                    left = await self._as_we_left_it(claimed)
                    if left is None or left.status is not Status.FAILED:
                        return Stale(str(lost))
                    # It had gone through and only its reply was lost: the message is rejected.
        return Failed(claimed.execution_id, kind, code, message)


async def _order_again(tx: Transaction, command: Command, until: PutBack) -> None:
    execution = await tx.ledger.get(command.execution_id)
    if execution is not None:
        await workflow.order(tx, execution, delay=until.seconds)


def _said_by(error: Exception) -> str:
    """Return what an error says as text every database keeps: no NUL, no lone surrogate."""
    return storable(str(error) or type(error).__name__)


def _rows(output: StageOutput) -> Mapping[str, int]:
    """Return a result's row counts, which are its whole-number metrics."""
    if not isinstance(output, StageResult):
        return {}
    return {name: n for name, n in output.metrics.items() if isinstance(n, int)}
