"""Whether what is due leaves once, by whichever relay, and nothing is lost when one fails."""

import asyncio
from collections import Counter
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from spine_common.adapters.bus.inprocess import InProcessBus
from spine_common.adapters.database.migrate import upgrade
from spine_common.adapters.database.tables import outbox
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.contracts.message import Message
from spine_common.core.execution import EventType, Status
from spine_common.core.ids import MessageId
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.framework.ports.database import Database
from spine_common.framework.ports.ledger import OutboxRow
from spine_common.framework.relay import Relay

from .conftest import Process, until

QUEUE = "spine.normalize.normal"


class Door:
    """A consumer that counts who comes in, and lets them out when it is open."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.came: Counter[str | None] = Counter()
        self.open = asyncio.Event()
        if is_open:
            self.open.set()

    async def __call__(self, delivery: Delivery) -> Verdict:
        self.came[delivery.message_id] += 1
        await self.open.wait()
        return Verdict.ACK


def message(number: int, key: str = "normalize.normal.suite") -> Message:
    return Message(MessageId(f"m{number}"), "t", "spine.commands", key, b"{}", {})


async def put(database: Database, *messages: Message) -> None:
    async with database.transaction() as tx:
        for each in messages:
            await tx.outbox.add(each)


async def depth(database: Database) -> int:
    async with database.reading() as tx:
        return (await tx.outbox.depth())[0]


async def claim(database: Database, *, lease: float = 30.0) -> list[OutboxRow]:
    async with database.transaction() as tx:
        return await tx.outbox.claim(limit=100, lease=lease)


async def emptied(database: Database) -> None:
    async def is_empty() -> bool:
        return await depth(database) == 0

    await until(is_empty)


async def test_a_command_is_sent_once_marked_and_queued(process: Process):
    door = Door()
    await process.bus.consume(QUEUE, door, prefetch=4)
    execution = await process.dispatcher.submit("suite.work")

    process.relaying()
    await emptied(process.database)

    assert (await process.get(execution)).status is Status.QUEUED
    assert list(door.came.values()) == [1]
    assert process.relay.idle


async def test_many_messages_leave_once_each_through_two_relays(
    process: Process, another: SqlDatabase
):
    door = Door()
    await process.bus.consume(QUEUE, door, prefetch=4)
    await put(process.database, *(message(n) for n in range(80)))
    other = Relay(another, process.bus, window=7, interval=0.05)

    process.relaying()
    running = asyncio.create_task(other.run())
    await emptied(process.database)
    await other.stop()
    await running

    assert door.came == Counter(f"m{n}" for n in range(80))


async def test_a_publish_that_fails_is_tried_again_when_the_bus_is_back(
    process: Process, bus: InProcessBus
):
    door = Door()
    await bus.close(grace=0)
    await put(process.database, message(1), message(2))
    process.relaying()

    async def has_failed_often() -> bool:
        process.relay.nudge()
        return process.relay._failures >= 3

    await until(has_failed_often)
    await bus.connect()
    await bus.consume(QUEUE, door, prefetch=4)
    await emptied(process.database)

    assert set(door.came) == {"m1", "m2"}


async def test_a_message_that_cannot_be_routed_does_not_stop_the_others(process: Process):
    door = Door()
    await process.bus.consume(QUEUE, door, prefetch=4)
    await put(process.database, message(1, "nowhere.normal.suite"))
    process.relaying()

    for number in range(2, 6):
        await put(process.database, message(number))

        async def has_come(expected: str = f"m{number}") -> bool:
            return door.came[expected] == 1

        await until(has_come)

    assert await depth(process.database) >= 1


async def test_a_stopped_relay_gives_back_what_it_has_not_sent(process: Process):
    door = Door(is_open=False)
    await process.bus.consume(QUEUE, door, prefetch=1)
    await put(process.database, message(1), message(2))
    running = asyncio.create_task(process.relay.run())

    async def is_inside() -> bool:
        return door.came.total() == 1

    await until(is_inside)
    await process.relay.stop(grace=0.05)
    await running

    assert len(await claim(process.database)) == 2
    door.open.set()


async def test_a_relay_stopped_in_the_middle_of_a_turn_leaves_no_row_leased(process: Process):
    door = Door(is_open=False)
    await process.bus.consume(QUEUE, door, prefetch=1)
    for steps in range(0, 30, 3):
        await put(process.database, message(steps))
        relay = Relay(process.database, process.bus, interval=0.05)
        running = asyncio.create_task(relay.run())
        for _ in range(steps):
            await asyncio.sleep(0)
        await relay.stop(grace=0.01)
        await running

        held = await claim(process.database, lease=0.0)
        assert len(held) == steps // 3 + 1
        assert relay.idle
    door.open.set()


async def test_what_is_handled_during_the_stop_is_marked(process: Process):
    door = Door(is_open=False)
    await process.bus.consume(QUEUE, door, prefetch=1)
    await put(process.database, message(1))
    running = asyncio.create_task(process.relay.run())

    async def is_inside() -> bool:
        return door.came.total() == 1

    await until(is_inside)
    stopping = asyncio.create_task(process.relay.stop(grace=10))
    door.open.set()
    await stopping
    await running

    assert await depth(process.database) == 0


async def test_a_row_leased_by_a_dead_relay_is_sent_by_another(process: Process):
    door = Door()
    await process.bus.consume(QUEUE, door, prefetch=1)
    await put(process.database, message(1))
    assert len(await claim(process.database, lease=0.2)) == 1

    process.relaying()
    await emptied(process.database)

    assert door.came == Counter(["m1"])


async def test_a_message_long_under_way_keeps_its_lease(process: Process):
    door = Door(is_open=False)
    await process.bus.consume(QUEUE, door, prefetch=1)
    await put(process.database, message(1))
    relay = Relay(process.database, process.bus, lease=3.0, interval=0.02)
    running = asyncio.create_task(relay.run())

    async def claimed_until() -> datetime | None:
        async with process.database.reading() as tx:
            return await tx._connection.scalar(select(outbox.c.claimed_until))

    seen: set[datetime | None] = set()

    async def has_been_extended() -> bool:
        seen.add(await claimed_until())
        return len(seen - {None}) >= 3

    await until(has_been_extended)
    door.open.set()
    await emptied(process.database)
    await relay.stop()
    await running

    assert door.came == Counter(["m1"])


async def test_a_mark_and_a_cancellation_at_once_wait_for_one_another(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    process.relay._sent.extend(await claim(process.database))

    async with process.database.transaction() as tx:
        locked = await tx.ledger.lock(execution.execution_id)
        assert locked is not None
        marking = asyncio.create_task(process.relay._mark())
        await asyncio.wait([marking], timeout=0.2)
        await tx.ledger.record(locked.execution, EventType.CANCELLED)
        await tx.outbox.withdraw(execution.execution_id)
    await marking

    assert (await process.get(execution)).status is Status.CANCELLED
    assert await depth(process.database) == 0


async def test_a_relay_outlives_a_database_that_is_not_there_yet(tmp_path: Path, bus: InProcessBus):
    url = f"sqlite+aiosqlite:///{tmp_path / 'later.db'}"
    database = SqlDatabase(url)
    door = Door()
    await bus.consume(QUEUE, door, prefetch=1)
    relay = Relay(database, bus, interval=0.05)
    running = asyncio.create_task(relay.run())

    async def has_waited() -> bool:
        return relay._outages >= 3

    await until(has_waited)
    outages = relay._outages
    for _ in range(50):
        relay.nudge()
        await asyncio.sleep(0)
    assert relay._outages <= outages + 1  # it is no hot loop

    await upgrade(url)
    await put(database, message(1), message(2))
    await emptied(database)

    assert relay._outages == 0
    await relay.stop()
    await running
    await database.close()
