"""Whether messages leave when they are due, through one relay at a time, and none is forgotten."""

import asyncio
from dataclasses import replace

import pytest

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.ids import MessageId
from spine_common.framework.ports.database import Database
from spine_common.framework.ports.ledger import OutboxRow

from .builders import message, submitted


async def put(database: Database, *numbers: int, delay: float = 0.0) -> None:
    async with database.transaction() as tx:
        for number in numbers:
            await tx.outbox.add(message(number), delay=delay)


async def claim(
    database: Database, *, limit: int = 50, lease: float = 30.0, but_not: tuple[str, ...] = ()
) -> list[OutboxRow]:
    async with database.transaction() as tx:
        return await tx.outbox.claim(limit=limit, lease=lease, but_not=but_not)


def ids(rows: list[OutboxRow]) -> list[MessageId]:
    return [row.message.message_id for row in rows]


async def depth(database: Database) -> int:
    async with database.reading() as tx:
        count, _ = await tx.outbox.depth()
    return count


async def test_a_message_is_claimed_as_it_was_added(database: SqlDatabase):
    body = bytes(range(256))
    execution = await submitted(database)
    async with database.transaction() as tx:
        await tx.outbox.add(message(1, body=body), execution_id=execution.execution_id)

    (row,) = await claim(database)

    assert row.message == message(1, body=body)
    assert row.execution_id == execution.execution_id


async def test_rows_are_claimed_oldest_first_and_no_more_than_the_limit(database: SqlDatabase):
    await put(database, 3, 1, 2)

    assert ids(await claim(database, limit=2)) == ["message-3", "message-1"]
    assert ids(await claim(database, limit=2)) == ["message-2"]
    assert await claim(database, limit=2) == []


async def test_beside_a_blocked_road_the_others_share_the_limit(database: SqlDatabase):
    roads = ["a", "a", "blocked", "blocked", "b", "a", "c"]
    async with database.transaction() as tx:
        for number, road in enumerate(roads):
            await tx.outbox.add(replace(message(number), routing_key=road))

    first = await claim(database, limit=4, but_not=("blocked",))
    rest = await claim(database, limit=4, but_not=("blocked", "unheard of"))

    assert ids(first) == ["message-0", "message-1", "message-4", "message-6"]
    assert ids(rest) == ["message-5"]
    assert await claim(database, but_not=("blocked",)) == []
    assert ids(await claim(database)) == ["message-2", "message-3"]


async def test_an_empty_outbox_has_no_roads(database: SqlDatabase):
    assert await claim(database, but_not=("blocked",)) == []


async def test_a_relay_of_one_exchange_leaves_the_others_messages(database: SqlDatabase):
    event = replace(message(2), exchange="spine.events")
    async with database.transaction() as tx:
        await tx.outbox.add(event)
        await tx.outbox.add(message(1))
        taken = await tx.outbox.claim(limit=50, lease=30, exchange=message(1).exchange)

    assert ids(taken) == ["message-1"]
    assert ids(await claim(database)) == ["message-2"]


async def test_a_message_is_not_due_before_its_time(database: SqlDatabase):
    await put(database, 1, delay=60)
    await put(database, 2)

    assert ids(await claim(database)) == ["message-2"]


@pytest.mark.parametrize("delay", [0.25, 3e-05])
async def test_a_message_is_due_at_its_time(database: SqlDatabase, delay: float):
    await put(database, 1, delay=delay)

    async with asyncio.timeout(10):
        while not (rows := await claim(database)):  # noqa: ASYNC110 - the database tells no one
            await asyncio.sleep(0.05)

    assert ids(rows) == ["message-1"]


async def test_two_relays_never_claim_the_same_row(database: SqlDatabase, another: SqlDatabase):
    await put(database, *range(60))

    batches = await asyncio.gather(*(claim(where, limit=7) for where in (database, another) * 5))

    claimed = [row.outbox_id for batch in batches for row in batch]
    assert len(claimed) == len(set(claimed))
    assert all(len(batch) <= 7 for batch in batches)


async def test_no_plan_of_the_planners_claims_more_than_the_limit(postgres_url: str):
    database = SqlDatabase(postgres_url)
    await put(database, *range(20))

    async with database.transaction() as tx:
        for plan in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
            await tx._connection.exec_driver_sql(f"SET LOCAL enable_{plan} = off")
        rows = await tx.outbox.claim(limit=3, lease=30)

    await database.close()
    assert ids(rows) == ["message-0", "message-1", "message-2"]


async def test_an_expired_claim_can_be_claimed_again(database: SqlDatabase):
    await put(database, 1)
    dead = await claim(database, lease=-1)

    again = await claim(database)

    assert ids(again) == ["message-1"]
    assert again[0].claim_token != dead[0].claim_token


async def test_a_sent_row_is_gone(database: SqlDatabase):
    await put(database, 1, 2)
    rows = await claim(database)

    async with database.transaction() as tx:
        await tx.outbox.mark_sent(rows[:1])

    assert await depth(database) == 1


async def test_who_lost_a_row_cannot_mark_extend_or_release_it(database: SqlDatabase):
    await put(database, 1)
    dead = await claim(database, lease=-1)
    alive = await claim(database)

    async with database.transaction() as tx:
        await tx.outbox.mark_sent(dead)
        await tx.outbox.release(dead, delay=0)
        await tx.outbox.extend(dead, -1)

    assert await claim(database) == []
    async with database.transaction() as tx:
        await tx.outbox.mark_sent(alive)
    assert await depth(database) == 0


async def test_a_row_put_back_while_a_relay_holds_it_survives_the_mark(database: SqlDatabase):
    await put(database, 1)
    held = await claim(database)
    await put(database, 1, delay=60)

    async with database.transaction() as tx:
        await tx.outbox.mark_sent(held)

    assert await depth(database) == 1
    assert await claim(database) == []


async def test_a_message_added_twice_is_one_row(database: SqlDatabase):
    await put(database, 1)
    await put(database, 1)

    assert await depth(database) == 1
    assert len(await claim(database)) == 1


async def test_an_extended_claim_holds(database: SqlDatabase):
    await put(database, 1)
    rows = await claim(database, lease=-1)

    async with database.transaction() as tx:
        await tx.outbox.extend(rows, 60)

    assert await claim(database) == []


async def test_a_released_row_is_due_after_its_delay(database: SqlDatabase):
    await put(database, 1, 2)
    one, two = await claim(database)

    async with database.transaction() as tx:
        await tx.outbox.release([one], delay=60)
        await tx.outbox.release([two], delay=0)

    assert ids(await claim(database)) == ["message-2"]
    assert await depth(database) == 2


async def test_a_withdrawn_command_never_leaves(database: SqlDatabase):
    execution = await submitted(database)
    async with database.transaction() as tx:
        await tx.outbox.add(message(1), execution_id=execution.execution_id)
        await tx.outbox.add(message(2))

    async with database.transaction() as tx:
        assert await tx.outbox.withdraw(execution.execution_id) == 1
        assert await tx.outbox.withdraw(execution.execution_id) == 0

    assert ids(await claim(database)) == ["message-2"]


async def test_the_depth_counts_what_waits_and_how_late_it_is(database: SqlDatabase):
    async with database.reading() as tx:
        assert await tx.outbox.depth() == (0, 0.0)
    await put(database, 1, delay=-5)
    await put(database, 2, delay=60)

    async with database.reading() as tx:
        count, late = await tx.outbox.depth()

    assert count == 2
    assert 5 <= late < 15


async def test_what_is_not_yet_due_is_not_late(database: SqlDatabase):
    await put(database, 1, delay=60)

    async with database.reading() as tx:
        assert await tx.outbox.depth() == (1, 0.0)


async def test_a_message_leaves_with_its_transaction_or_not_at_all(database: SqlDatabase):
    async def attempt() -> None:
        async with database.transaction() as tx:
            await tx.outbox.add(message(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()

    assert await depth(database) == 0
