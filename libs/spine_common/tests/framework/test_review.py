"""Whether a person's word settles a dead letter once, and a retry finishes what had failed."""

import asyncio

import pytest

from spine_common.core.errors import (
    DeadLetterNotFound,
    InvalidParams,
    NotRetryable,
    SourceNotFound,
)
from spine_common.core.execution import Execution, Status
from spine_common.core.letters import LetterState
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.ports.queries import Window
from spine_common.framework.review import NotRetried, Retried

from .builders import AGGREGATE, INGEST, NORMALIZE, SHOP_STAGES, failing, sales_key
from .conftest import Process, until
from .letters import POISON, WAITING, given_up, letters, review_of, sent


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


async def test_an_execution_s_letters_are_retried_once_and_told_each_time(process: Process):
    (letter,) = await given_up(process)
    (row,) = await letters(process)
    review = review_of(process)

    (first,) = await review.retry_execution(row["execution_id"])
    (again,) = await review.retry_execution(row["execution_id"])

    assert isinstance(first, Retried)
    assert isinstance(again, Retried)
    assert (first.dead_letter_id, first.is_new) == (letter, True)
    assert (again.dead_letter_id, again.is_new) == (letter, False)
    assert again.execution is not None
    assert first.execution is not None
    assert again.execution.execution_id == first.execution.execution_id


async def test_an_execution_s_discarded_letters_say_why_they_are_not_retried(process: Process):
    (letter,) = await given_up(process)
    (row,) = await letters(process)
    await review_of(process).discard(letter, "not wanted")

    (refused,) = await review_of(process).retry_execution(row["execution_id"])

    assert isinstance(refused, NotRetried)
    assert "not wanted" in refused.reason
