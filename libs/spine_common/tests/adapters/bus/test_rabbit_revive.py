"""Whether a consumer the broker has given up is fed again, and one that is fed left alone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import aio_pika
import pytest

from spine_common.adapters.bus.rabbit import RabbitBus, consume
from spine_common.adapters.bus.topology import SPINE, queue_arguments
from spine_common.contracts.routing import COMMANDS_EXCHANGE, work_binding, work_queue
from spine_common.core.errors import BusUnavailable, QueueFull, Unroutable
from spine_common.core.pipeline import Lane, Stage
from spine_common.testing.servers import RabbitServer

QUEUE = work_queue(Stage.NORMALIZE, Lane.NORMAL)
OTHER = work_queue(Stage.NORMALIZE, Lane.SLOW)


@pytest.fixture
async def admin(rabbit_url: str) -> AsyncIterator[aio_pika.abc.AbstractConnection]:
    connection = await aio_pika.connect(rabbit_url)
    yield connection
    await connection.close()


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Give the libraries less time than they get in earnest."""
    monkeypatch.setattr(consume, "STARVED_SECONDS", 0.5)
    monkeypatch.setattr(consume, "CUT_OFF_SECONDS", 1.0)


@pytest.fixture
async def wired(wire) -> AsyncIterator[RabbitBus]:
    """A bus whose connection the test can cut."""
    bus = RabbitBus(wire.url)
    await bus.connect()
    yield bus
    await bus.close(grace=0)


async def consumers(admin: aio_pika.abc.AbstractConnection, queue: str) -> int | None:
    async with admin.channel() as channel:
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.consumer_count


async def revived(bus: RabbitBus, count: int) -> None:
    """Ask again and again, as the process's watch does."""
    async with asyncio.timeout(20):
        while await bus.revive() != count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)


async def delete(admin: aio_pika.abc.AbstractConnection, queue: str) -> None:
    async with admin.channel() as channel:
        await channel.queue_delete(queue)


@pytest.mark.slow
async def test_a_consumer_comes_back_with_its_queue(
    rabbit: RabbitBus, admin, inbox, command, eventually
):
    await rabbit.consume(QUEUE, inbox, prefetch=1)
    await rabbit.consume(OTHER, inbox, prefetch=1)
    await delete(admin, QUEUE)
    await eventually(lambda: rabbit.live_consumers() == 1)

    await rabbit.declare()
    await revived(rabbit, 2)
    await rabbit.publish(command(1))

    assert (await inbox.next()).message_id == "id-1"
    assert [await consumers(admin, queue) for queue in (QUEUE, OTHER)] == [1, 1]


@pytest.mark.slow
async def test_without_its_queue_a_consumer_stays_away_and_says_so(
    rabbit: RabbitBus, admin, inbox, eventually, monkeypatch
):
    monkeypatch.setattr(consume, "STARVED_SECONDS", 0.0)
    await rabbit.consume(QUEUE, inbox, prefetch=1)
    await delete(admin, QUEUE)
    await eventually(lambda: rabbit.live_consumers() == 0)
    with contextlib.suppress(Unroutable):
        await rabbit.revive()

    with pytest.raises(Unroutable, match=QUEUE):
        await rabbit.revive()
    with pytest.raises(Unroutable, match=QUEUE):
        await rabbit.revive()

    await rabbit.declare()
    await revived(rabbit, 1)


async def steadily_fed(bus: RabbitBus, count: int) -> None:
    """Ask again and again, though something is missing, until it stays as it should be.

    A connection that fails to come back whole feeds consumers for a moment every time.
    """
    steady_since = time.monotonic()
    async with asyncio.timeout(20):
        while time.monotonic() - steady_since < 1.5:
            with contextlib.suppress(Unroutable, BusUnavailable):
                await bus.revive()
            for _ in range(10):
                await asyncio.sleep(0.02)
                if bus.live_consumers() != count:
                    steady_since = time.monotonic()


async def given_up(bus: RabbitBus, queue: str) -> None:
    """Ask again and again until the queue is said to be missing."""
    async with asyncio.timeout(20):
        while True:
            try:
                await bus.revive()
            except Unroutable as error:
                if queue in str(error):
                    return
            await asyncio.sleep(0.1)


async def test_asking_for_a_queue_that_stays_away_uses_nothing_up(
    rabbit: RabbitBus, admin, inbox, eventually, monkeypatch
):
    monkeypatch.setattr(consume, "STARVED_SECONDS", 0.0)
    await rabbit.consume(QUEUE, inbox, prefetch=1)
    connection = await rabbit._consumers._broker.connect()
    channels = connection.transport.connection.channels
    open_before = len(channels)
    await delete(admin, QUEUE)
    await eventually(lambda: rabbit.live_consumers() == 0)

    for _ in range(6):
        with contextlib.suppress(Unroutable):
            await rabbit.revive()
        await asyncio.sleep(0.01)

    await eventually(lambda: len(channels) <= open_before)


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_one_missing_queue_keeps_no_other_consumer_from_coming_back(
    rabbit: RabbitBus, admin, inbox, command
):
    await rabbit.consume(QUEUE, inbox, prefetch=1)
    await rabbit.consume(OTHER, inbox, prefetch=1)
    await delete(admin, OTHER)
    await given_up(rabbit, OTHER)
    await delete(admin, QUEUE)
    await given_up(rabbit, QUEUE)

    async with admin.channel() as channel:
        other = SPINE.queue(OTHER)
        queue = await channel.declare_queue(OTHER, durable=True, arguments=queue_arguments(other))
        await queue.bind(COMMANDS_EXCHANGE, work_binding(Stage.NORMALIZE, Lane.SLOW))
    await steadily_fed(rabbit, 1)

    await rabbit.publish(command(1, lane=Lane.SLOW))
    assert (await inbox.next()).message_id == "id-1"


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_a_connection_lost_together_with_a_queue_comes_back_for_the_others(
    wire, wired: RabbitBus, admin, inbox, command
):
    await wired.consume(QUEUE, inbox, prefetch=1)
    await wired.consume(OTHER, inbox, prefetch=1)

    wire.freeze()
    await delete(admin, QUEUE)
    wire.cut()
    await asyncio.sleep(0.5)
    await steadily_fed(wired, 1)

    await wired.publish(command(1, lane=Lane.SLOW))
    assert (await inbox.next()).message_id == "id-1"
    await wired.declare()
    await steadily_fed(wired, 2)
    assert [await consumers(admin, queue) for queue in (QUEUE, OTHER)] == [1, 1]


async def test_one_that_is_fed_is_left_alone(rabbit: RabbitBus, admin, inbox):
    await rabbit.consume(QUEUE, inbox, prefetch=1)

    for _ in range(5):
        assert await rabbit.revive() == 1

    assert await consumers(admin, QUEUE) == 1


async def test_a_connection_that_comes_back_brings_one_consumer_not_two(
    wire, wired: RabbitBus, admin, inbox, command
):
    await wired.consume(QUEUE, inbox, prefetch=1)

    wire.cut()
    await revived(wired, 1)
    async with asyncio.timeout(20):
        while True:
            try:
                await wired.publish(command(1))
                break
            except Exception:  # noqa: BLE001 - the publisher's connection comes back, too
                await asyncio.sleep(0.1)

    assert (await inbox.next()).message_id == "id-1"
    await revived(wired, 1)
    assert await consumers(admin, QUEUE) == 1


async def test_a_full_queue_refuses_and_takes_again(
    rabbit: RabbitBus, rabbit_server: RabbitServer, rabbit_url, command, inbox
):
    vhost = rabbit_url.rpartition("/")[2]
    policy = {"pattern": f"^{QUEUE}$", "definition": {"max-length": 2}, "apply-to": "queues"}
    rabbit_server.management.call("PUT", f"/api/policies/{vhost}/small", policy)

    async def fill() -> None:
        async with asyncio.timeout(20):
            for number in range(10_000):
                await rabbit.publish(command(number))

    with pytest.raises(QueueFull, match="normalize"):
        await fill()

    await rabbit.consume(QUEUE, inbox, prefetch=10)
    async with asyncio.timeout(10):
        while True:
            try:
                await rabbit.publish(command(99_999))
                break
            except QueueFull:
                await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        while (await inbox.next()).message_id != "id-99999":
            pass
