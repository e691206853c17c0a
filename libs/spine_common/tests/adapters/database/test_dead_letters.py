"""Whether a message nobody could use is kept whole, once for each attempt."""

from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import select

from spine_common.adapters.database.tables import dead_letters
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.errors import Kind
from spine_common.core.ids import new_execution_id
from spine_common.framework.ports.deadletters import DeadLetter
from spine_common.framework.ports.queries import Window

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
