"""Whether a message nobody could use is kept whole, once for each attempt."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from spine_common.adapters.database.tables import dead_letters
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.errors import Kind
from spine_common.core.ids import ExecutionId, keyed_execution_id, new_execution_id
from spine_common.core.letters import LetterState
from spine_common.framework.ports.deadletters import DeadLetter, LetterFilter
from spine_common.framework.ports.queries import Window

WAITING = LetterFilter()
LETTER = DeadLetter(
    queue="spine.dlq",
    message_id=None,
    body=bytes(range(256)),
    headers={
        "x-death": [{"count": 1, "time": datetime(2025, 1, 1, tzinfo=UTC), "queue": "q"}],
        "binary": b"\xff\x00",
        "text": "Zürich\x00",
        "nothing": None,
    },
    kind=Kind.POISON,
    code="MESSAGE_UNDECODABLE",
    reason="no JSON",
    shape="no UTF-8",
)


async def test_a_letter_keeps_every_byte_and_header(database: SqlDatabase):
    async with database.transaction() as tx:
        assert await tx.dead_letters.keep(LETTER)

    async with database.reading() as tx:
        body = await tx._connection.scalar(select(dead_letters.c.body))
        (row,) = (await tx.dead_letters.recent(Window())).rows
    assert body == LETTER.body
    assert row["headers"] == {
        "x-death": [{"count": 1, "time": "2025-01-01 00:00:00+00:00", "queue": "q"}],
        "binary": {"base64": "/wA="},
        "text": "Zürich\N{REPLACEMENT CHARACTER}",
        "nothing": None,
    }
    assert (row["kind"], row["code"], row["reason"]) == ("poison", LETTER.code, LETTER.reason)
    assert row["received_at"].tzinfo is UTC


async def test_one_attempt_has_one_letter(database: SqlDatabase):
    first = replace(LETTER, execution_id=new_execution_id(), attempt=1)

    async with database.transaction() as tx:
        assert await tx.dead_letters.keep(first)
        assert not await tx.dead_letters.keep(first)
        assert await tx.dead_letters.keep(replace(first, attempt=2))

    async with database.reading() as tx:
        assert (await tx.dead_letters.recent(Window())).total == 2


async def test_the_newest_letters_come_first_without_their_bodies(database: SqlDatabase):
    async with database.transaction() as tx:
        for number in range(3):
            await tx.dead_letters.keep(replace(LETTER, message_id=str(number)))

    async with database.reading() as tx:
        page = await tx.dead_letters.recent(Window(limit=2))
    assert [row["message_id"] for row in page.rows] == ["2", "1"]
    assert page.total == 3
    assert "body" not in page.rows[0]


OTHER = replace(
    LETTER,
    queue="elsewhere",
    message_id="m-2",
    body=b"as it came later",
    headers={"text": "later"},
    kind=Kind.PERMANENT,
    code="SOURCE_NOT_FOUND",
    reason="given up",
    shape="spine.command.ingest.v1",
)
SAID = ("queue", "message_id", "body", "headers", "kind", "code", "reason", "shape")


async def stored(database: SqlDatabase, letter_id: int = 1) -> dict[str, Any]:
    async with database.reading() as tx:
        return await tx.dead_letters.show(letter_id)


@pytest.mark.parametrize("first", [LetterState.RESCHEDULED, LetterState.MOOT])
async def test_a_letter_nobody_waits_for_waits_once_its_attempt_is_given_up(
    database: SqlDatabase, first: LetterState
):
    attempt = {"execution_id": new_execution_id(), "attempt": 1}
    async with database.transaction() as tx:
        await tx.dead_letters.keep(replace(LETTER, **attempt, state=first))
    before = await stored(database)

    async with database.transaction() as tx:
        assert not await tx.dead_letters.keep(replace(OTHER, **attempt))

    after = await stored(database)
    assert (after["state"], after["seen"]) == ("waiting", 2)
    assert {name: after[name] for name in SAID} == {name: getattr(OTHER, name) for name in SAID}
    assert after["received_at"] == before["received_at"]


async def test_a_message_sent_as_it_came_waits_again_when_it_is_back(database: SqlDatabase):
    letter = replace(LETTER, execution_id=new_execution_id(), attempt=1)
    async with database.transaction() as tx:
        await tx.dead_letters.keep(letter)
        await tx.dead_letters.settle(1, LetterState.RETRIED, because="by hand")

    async with database.transaction() as tx:
        await tx.dead_letters.keep(letter)

    after = await stored(database)
    assert (after["state"], after["seen"]) == ("waiting", 2)
    assert (after["settled_at"], after["settled_because"]) == (None, None)


@pytest.mark.parametrize(
    ("state", "child"),
    [(LetterState.DISCARDED, None), (LetterState.RETRIED, keyed_execution_id("a retry"))],
    ids=["discarded", "retried"],
)
async def test_what_a_person_decided_stands_whatever_comes(
    database: SqlDatabase, state: LetterState, child: ExecutionId | None
):
    letter = replace(LETTER, execution_id=new_execution_id(), attempt=1)
    async with database.transaction() as tx:
        await tx.dead_letters.keep(letter)
        await tx.dead_letters.settle(1, state, because="no", retry_execution_id=child)
    before = await stored(database)

    async with database.transaction() as tx:
        await tx.dead_letters.keep(
            replace(OTHER, execution_id=letter.execution_id, attempt=letter.attempt)
        )

    after = await stored(database)
    assert after == {**before, "seen": 2, "last_seen_at": after["last_seen_at"]}


async def test_a_letter_that_waits_goes_on_waiting(database: SqlDatabase):
    letter = replace(LETTER, execution_id=new_execution_id(), attempt=1)
    async with database.transaction() as tx:
        await tx.dead_letters.keep(letter)
        for late in (LetterState.RESCHEDULED, LetterState.MOOT):
            await tx.dead_letters.keep(replace(letter, state=late))

    after = await stored(database)
    assert (after["state"], after["seen"]) == ("waiting", 3)


async def test_of_letters_of_one_attempt_at_once_the_one_that_waits_wins(database: SqlDatabase):
    attempts = [{"execution_id": new_execution_id(), "attempt": 1} for _ in range(5)]

    async def keep(letter: DeadLetter) -> bool:
        async with database.transaction() as tx:
            return await tx.dead_letters.keep(letter)

    states = (LetterState.RESCHEDULED, LetterState.WAITING, LetterState.MOOT)
    kept = await asyncio.gather(
        *(keep(replace(LETTER, **one, state=state)) for one in attempts for state in states)
    )

    async with database.reading() as tx:
        rows = (await tx.dead_letters.recent(Window())).rows
    assert sum(kept) == len(rows) == len(attempts)
    assert {(row["state"], row["seen"]) for row in rows} == {("waiting", 3)}


async def test_a_cause_is_told_as_its_newest_letter_tells_it(database: SqlDatabase):
    async with database.transaction() as tx:
        for number, reason in enumerate(["of all the last by the alphabet", "newest"]):
            await tx.dead_letters.keep(replace(LETTER, message_id=str(number), reason=reason))
        await tx.dead_letters.keep(replace(LETTER, message_id="2", code="OTHER", reason="other"))

    async with database.reading() as tx:
        first = await tx.dead_letters.groups(WAITING, Window(limit=1))
        both = await tx.dead_letters.groups(WAITING, Window())
    told = [(row["code"], row["letters"], row["newest_id"], row["example"]) for row in both.rows]
    assert told == [(LETTER.code, 2, 2, "newest"), ("OTHER", 1, 3, "other")]
    assert (first.rows, first.total) == (both.rows[:1], 2)


async def test_a_letter_of_an_execution_nobody_knows_is_found_by_its_id(database: SqlDatabase):
    nobody = new_execution_id()
    async with database.transaction() as tx:
        await tx.dead_letters.keep(replace(LETTER, execution_id=nobody, attempt=1))
        await tx.dead_letters.keep(replace(LETTER, execution_id=new_execution_id(), attempt=1))

    async with database.reading() as tx:
        assert await tx.dead_letters.of_execution(nobody) == [1]
        assert await tx.dead_letters.of_execution(nobody, [LetterState.RETRIED]) == []
