"""Whether letters retried by a filter are all looked at, each once, and none of it is hidden."""

import asyncio
from dataclasses import replace

import pytest

from spine_common.core.errors import DatabaseUnavailable, InvalidParams, Kind
from spine_common.core.execution import Status
from spine_common.core.letters import LetterState
from spine_common.framework.ports.deadletters import DeadLetter, LetterFilter
from spine_common.framework.review import NotRetried, Retried, StoppedHalfway

from .conftest import Process, until
from .letters import WAITING, given_up, letters, review_of, sent

NEVER_SENT = DeadLetter(
    queue="spine.dlq",
    message_id=None,
    body=b"never sent",
    headers={},
    kind=Kind.POISON,
    code="MESSAGE_UNDECODABLE",
    reason="no JSON",
    shape="no JSON",
)


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


async def test_what_could_not_be_retried_is_said_and_stops_nothing(process: Process):
    await process.start()
    await sent(process, b"x" * 70_000)
    (row,) = await letters(process)

    (one,) = await review_of(process).retry_all(WAITING)

    assert isinstance(one, NotRetried)
    assert one.dead_letter_id == row["dead_letter_id"]
    assert "70,000 bytes" in one.reason


async def test_what_can_not_be_retried_uses_up_no_limit(process: Process):
    async with process.database.transaction() as tx:
        for number in range(3):
            await tx.dead_letters.keep(replace(NEVER_SENT, body=bytes([number])))
    poison = await given_up(process, 3)
    work = [poison.pop() for _ in range(3)][::-1]
    review = review_of(process)

    first = await review.retry_all(WAITING, limit=2)
    second = await review.retry_all(WAITING, limit=2)

    for asked, retried in ((first, work[:2]), (second, work[2:])):
        assert [one.dead_letter_id for one in asked if isinstance(one, NotRetried)] == poison
        assert [one.dead_letter_id for one in asked if isinstance(one, Retried)] == retried


async def test_what_can_not_be_retried_takes_no_place_in_the_line(process: Process):
    async with process.database.transaction() as tx:
        for number in range(3):
            await tx.dead_letters.keep(replace(NEVER_SENT, body=bytes([number])))
    await given_up(process)
    await process.stop()

    await review_of(process).retry_all(WAITING, per_second=0.01)

    async with process.database.transaction() as tx:
        assert len(await tx.outbox.claim(limit=10, lease=1)) == 1


async def test_more_letters_than_a_page_are_all_retried(process: Process, monkeypatch):
    monkeypatch.setattr("spine_common.framework.review._PAGE", 2)
    work = await given_up(process, 5)
    await process.stop()

    some = await review_of(process).retry_all(WAITING, limit=2)
    others = await review_of(process).retry_all(WAITING)

    assert [[one.dead_letter_id for one in asked] for asked in (some, others)] == [
        work[:2],
        work[2:],
    ]


async def refusing(process: Process, letter: int, sqlite: str, state: str) -> None:
    """Let the database refuse to change one letter from now on, for a reason of its own."""
    async with process.database.transaction() as tx:
        connection = tx._connection  # type: ignore[attr-defined]
        if connection.dialect.name == "sqlite":
            does = f"BEGIN SELECT RAISE(ABORT, '{sqlite}'); END"
        else:
            await connection.exec_driver_sql(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION 'no: not now' USING ERRCODE = '{state}'; END $$"
            )
            does = "EXECUTE FUNCTION refuse()"
        await connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE UPDATE ON dead_letters FOR EACH ROW"
            f" WHEN (NEW.dead_letter_id = {letter}) {does}"
        )


async def test_one_letter_that_fails_for_itself_stops_no_other(process: Process):
    first, second, third = await given_up(process, 3)
    await refusing(process, second, "no such table: x", "42501")

    asked = await review_of(process).retry_all(WAITING)

    assert [one.dead_letter_id for one in asked] == [first, second, third]
    assert [type(one) for one in asked] == [Retried, NotRetried, Retried]


async def test_a_database_that_goes_away_half_way_hides_nothing_that_was_done(process: Process):
    first, second, third = await given_up(process, 3)
    await refusing(process, second, "database is locked", "57P03")

    with pytest.raises(StoppedHalfway) as stopped:
        await review_of(process).retry_all(WAITING)

    assert [one.dead_letter_id for one in stopped.value.done] == [first]
    rows = await letters(process, LetterState.WAITING)
    assert [row["dead_letter_id"] for row in rows] == [second, third]
    with pytest.raises(DatabaseUnavailable) as nothing_done:
        await review_of(process).retry_all(WAITING)
    assert not isinstance(nothing_done.value, StoppedHalfway)


@pytest.mark.parametrize("database_url", ["postgres_url"], indirect=True)
async def test_a_retry_and_the_desk_at_once_lock_in_one_order(process: Process):
    (letter,) = await given_up(process)
    async with process.database.reading() as tx:
        row = await tx.dead_letters.show(letter)
    attempt = {"execution_id": row["execution_id"], "attempt": row["attempt"]}

    async def waits_for_a_lock() -> bool:
        query = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        async with process.database.reading() as tx:
            found = await tx._connection.exec_driver_sql(query)  # type: ignore[attr-defined]
            return bool(found.scalar_one())

    async with process.database.transaction() as tx:
        await tx.ledger.lock(row["execution_id"])
        retrying = asyncio.create_task(review_of(process).retry(letter))
        await until(waits_for_a_lock)
        await tx.dead_letters.keep(replace(NEVER_SENT, **attempt))

    assert (await retrying).is_new
    (after,) = await letters(process)
    assert (after["state"], after["seen"]) == ("retried", 2)
