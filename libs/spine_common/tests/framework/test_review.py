"""Whether a person's word settles a dead letter once, and a retry finishes what had failed."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from spine_common.contracts.message import Message
from spine_common.contracts.routing import COMMANDS_EXCHANGE
from spine_common.core.errors import (
    DeadLetterNotFound,
    InvalidParams,
    NotRetryable,
    SourceNotFound,
)
from spine_common.core.execution import Execution, Status
from spine_common.core.ids import MessageId
from spine_common.core.letters import LetterState
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.ports.deadletters import LetterFilter
from spine_common.framework.ports.queries import Row, Window
from spine_common.framework.review import DeadLetterReview, NotRetried, Retried

from .builders import AGGREGATE, INGEST, NORMALIZE, SHOP_STAGES, failing, sales_key
from .conftest import Process, until

WAITING = LetterFilter()
POISON = b'{"half": '


def review_of(process: Process) -> DeadLetterReview:
    return DeadLetterReview(process.database, process.relay.nudge)


async def letters(process: Process, *states: LetterState) -> list[Row]:
    async with process.database.reading() as tx:
        return (await tx.dead_letters.recent(Window(), LetterFilter(states))).rows[::-1]


async def given_up(process: Process, count: int = 1) -> list[int]:
    """Let commands fail for good and return their letters; later runs succeed."""
    await process.start(failing(*[SourceNotFound(f"no file {n}") for n in range(count)]))
    orders = [await process.dispatcher.submit("suite.work", {"n": n}) for n in range(count)]
    for order in orders:
        await process.ended(order)
    return [row["dead_letter_id"] for row in await letters(process, LetterState.WAITING)]


async def test_a_retry_is_a_new_execution_below_the_failed_one(process: Process):
    (letter,) = await given_up(process)

    retried = await review_of(process).retry(letter)

    assert retried.execution is not None
    ended = await process.ended(retried.execution)
    failed = (await process.get(ended.parent_id or ended.execution_id)).status
    assert (ended.status, failed) == (Status.COMPLETED, Status.DEAD_LETTERED)
    assert ended.trigger_source is TriggerSource.DLQ
    (row,) = await letters(process)
    assert (row["state"], row["retry_execution_id"]) == ("retried", ended.execution_id)


async def test_asked_twice_or_at_once_a_letter_is_retried_once(process: Process):
    (letter,) = await given_up(process)
    review = review_of(process)

    asked = await asyncio.gather(*(review.retry(letter) for _ in range(5)))
    again = await review.retry(letter)

    assert sum(one.is_new for one in asked) == 1
    assert not again.is_new
    ids = {one.execution.execution_id for one in [*asked, again] if one.execution}
    assert len(ids) == 1
    async with process.database.reading() as tx:
        assert len(await tx.ledger.recent(limit=10)) == 2


async def test_a_retried_step_goes_on_with_its_workflow(shop: Process):
    await shop.start(SHOP_STAGES)
    path = shop.folder / "late.txt"
    order = {**sales_key(), "file_path": str(path)}
    parent = await shop.ended(await shop.dispatcher.submit("shop.process", order))
    assert parent.status is Status.DEAD_LETTERED
    path.write_text("tea 2")

    (retried,) = await review_of(shop).retry_execution(parent.execution_id)

    assert isinstance(retried, Retried)
    assert retried.execution is not None
    first = await shop.ended(retried.execution)

    async def all_three_ended() -> bool:
        steps = await shop.children(first)
        return len(steps) == 2 and not any(step.is_open for step in steps)

    await until(all_three_ended)
    steps = [first, *await shop.children(first)]
    assert [step.pipeline for step in steps] == [INGEST.name, NORMALIZE.name, AGGREGATE.name]
    assert {step.status for step in steps} == {Status.COMPLETED}
    assert (await shop.get(parent)).status is Status.DEAD_LETTERED


async def test_a_retry_that_fails_again_is_a_letter_of_its_own(process: Process):
    await process.start(failing(SourceNotFound("one"), SourceNotFound("two")))
    await process.ended(await process.dispatcher.submit("suite.work"))
    (first,) = await letters(process, LetterState.WAITING)

    retried = await review_of(process).retry(first["dead_letter_id"])
    assert retried.execution is not None
    await process.ended(retried.execution)

    (second,) = await letters(process, LetterState.WAITING)
    assert second["execution_id"] == retried.execution.execution_id
    again = await review_of(process).retry(second["dead_letter_id"])
    assert again.execution is not None
    assert (await process.ended(again.execution)).status is Status.COMPLETED


async def test_all_that_fit_are_retried_and_the_rest_are_not(process: Process):
    first, *others = await given_up(process, 3)
    await review_of(process).discard(first, "not wanted any more")

    none = await review_of(process).retry_all(LetterFilter(code="SOURCE_EMPTY"))
    asked = await review_of(process).retry_all(
        LetterFilter(code="SOURCE_NOT_FOUND", pipeline="suite.work")
    )

    assert none == []
    assert [one.dead_letter_id for one in asked] == others
    for one in asked:
        assert isinstance(one, Retried)
        assert one.execution is not None
        assert (await process.ended(one.execution)).status is Status.COMPLETED


async def test_a_rate_spreads_retries_over_time(process: Process):
    await given_up(process, 3)
    await process.stop()

    await review_of(process).retry_all(WAITING, per_second=0.01)

    async with process.database.transaction() as tx:
        due = await tx.outbox.claim(limit=10, lease=1)
        waiting, _ = await tx.outbox.depth()
    assert (len(due), waiting) == (1, 3)


async def test_a_rate_of_nothing_is_refused(process: Process):
    with pytest.raises(InvalidParams, match="0"):
        await review_of(process).retry_all(WAITING, per_second=0)


async def test_what_was_discarded_is_not_retried(process: Process):
    (letter,) = await given_up(process)
    review = review_of(process)

    assert await review.discard(letter, "the file never existed")
    assert not await review.discard(letter, "the file never existed")
    with pytest.raises(NotRetryable, match="the file never existed"):
        await review.retry(letter)
    (row,) = await letters(process)
    assert (row["state"], row["settled_because"]) == ("discarded", "the file never existed")


async def test_discarding_needs_a_reason(process: Process):
    (letter,) = await given_up(process)

    with pytest.raises(InvalidParams, match="reason"):
        await review_of(process).discard(letter, "  ")


async def test_a_letter_whose_execution_goes_on_is_not_for_a_person(process: Process):
    await process.start(failing(OSError("one")))
    await process.ended(await process.dispatcher.submit("suite.work"))
    (row,) = await letters(process)

    assert row["state"] == "rescheduled"
    with pytest.raises(NotRetryable, match="rescheduled"):
        await review_of(process).retry(row["dead_letter_id"])


async def test_a_letter_nobody_knows_is_not_found(process: Process):
    with pytest.raises(DeadLetterNotFound, match="99"):
        await review_of(process).retry(99)


async def sent(process: Process, body: bytes, headers: Mapping[str, Any] | None = None) -> None:
    await process.bus.publish(
        Message(
            MessageId("poison-1"),
            "?",
            COMMANDS_EXCHANGE,
            "normalize.normal.suite",
            body,
            dict(headers or {}),
        )
    )


async def test_a_message_that_is_none_can_be_sent_once_more_and_comes_back(process: Process):
    await process.start()
    await sent(process, POISON)
    (row,) = await letters(process)

    retried = await review_of(process).retry(row["dead_letter_id"])

    assert (retried.execution, retried.is_new) == (None, True)

    async def is_back() -> bool:
        return len(await letters(process)) == 2

    await until(is_back)
    first, second = await letters(process)
    assert (first["state"], second["state"]) == ("retried", "waiting")
    async with process.database.reading() as tx:
        shown = await tx.dead_letters.show(second["dead_letter_id"])
    assert shown["body"] == POISON


async def test_equal_poison_under_one_id_is_one_letter_seen_often(process: Process):
    await process.start()
    for _ in range(3):
        await sent(process, POISON)

    (row,) = await letters(process)
    assert (row["seen"], row["shape"], row["pipeline"]) == (3, "no JSON", None)


async def test_what_could_not_be_retried_is_said_and_stops_nothing(process: Process):
    await process.start()
    await sent(process, b"x" * 70_000)
    (row,) = await letters(process)

    (one,) = await review_of(process).retry_all(WAITING)

    assert isinstance(one, NotRetried)
    assert one.dead_letter_id == row["dead_letter_id"]
    assert "70,000 bytes" in one.reason


async def test_failures_are_grouped_by_cause(process: Process):
    await given_up(process, 3)
    await sent(process, POISON)

    async with process.database.reading() as tx:
        groups = (await tx.dead_letters.groups(WAITING, Window())).rows

    told = [(g["code"], g["pipeline"], g["shape"], g["count"], g["kind"]) for g in groups]
    assert told == [
        ("SOURCE_NOT_FOUND", "suite.work", "spine.command.normalize.v1", 3, "permanent"),
        ("MESSAGE_UNDECODABLE", None, "no JSON", 1, "poison"),
    ]
    assert all(group["first_seen"] <= group["last_seen"] for group in groups)


async def test_while_the_same_is_open_a_retry_joins_it(process: Process):
    (letter,) = await given_up(process)
    await process.stop()
    await process.bus.close()
    open_one: Execution = await process.dispatcher.submit("suite.work", {"n": 0})

    retried = await review_of(process).retry(letter)

    assert retried.execution == open_one
    assert not retried.is_new
