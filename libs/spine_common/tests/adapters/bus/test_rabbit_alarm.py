"""Whether a broker in need is named and waited for, and one that is impatient puts up with us."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import pytest

from spine_common.adapters.bus.rabbit import RabbitBus
from spine_common.contracts.routing import work_queue
from spine_common.core.errors import BusUnavailable
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.testing.servers import Household, RabbitServer, private_rabbit

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.xdist_group("alarm")]

QUEUE = work_queue(Stage.NORMALIZE, Lane.NORMAL)
WATERMARK = "set_vm_memory_high_watermark"


@pytest.fixture(scope="module")
def server() -> Iterator[RabbitServer]:
    """A broker these tests may frighten; its queues are not there for others."""
    with Household.opened() as household:
        yield private_rabbit(household)


@pytest.fixture
async def bus(server: RabbitServer) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(server.new_vhost(), publish_timeout=2.0)
    await bus.connect()
    await bus.declare()
    yield bus
    await bus.close(grace=0)


@pytest.fixture
async def alarm(server: RabbitServer, bus: RabbitBus, command) -> AsyncIterator[None]:
    """Memory is low, and the bus has been told: a broker tells who publishes."""
    await asyncio.to_thread(server.ctl, WATERMARK, "0.00001")
    with pytest.raises(BusUnavailable, match="did not answer"):
        await bus.publish(command(0))
    yield
    await asyncio.to_thread(server.ctl, WATERMARK, "0.4")


async def published(bus: RabbitBus, message) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                return await bus.publish(message)
            except BusUnavailable:
                await asyncio.sleep(0.1)


@pytest.mark.usefixtures("alarm")
async def test_an_alarm_is_named_at_once_until_it_is_over(server, bus, command, inbox):
    await bus.consume(QUEUE, inbox, prefetch=1)

    started = time.monotonic()
    for ask in (bus.check(), bus.waiting(QUEUE), bus.declare(), bus.publish(command(1))):
        with pytest.raises(BusUnavailable, match="low on memory"):
            await ask
    assert time.monotonic() - started < 1
    assert await bus.revive() == 1

    await asyncio.to_thread(server.ctl, WATERMARK, "0.4")
    await published(bus, command(2))

    await bus.check()
    # The first is the one that timed out: it was under way already.
    assert [(await inbox.next()).message_id for _ in range(2)] == ["id-0", "id-2"]


@pytest.mark.usefixtures("alarm")
async def test_publishing_goes_on_though_the_connection_ends_in_an_alarm(server, bus, command):
    connections = []
    async with asyncio.timeout(20):
        while not connections:
            await asyncio.sleep(0.2)
            connections = server.management.call("GET", "/api/connections")
    for connection in connections:
        name = quote(connection["name"], safe="")
        server.management.call("DELETE", f"/api/connections/{name}")

    await asyncio.to_thread(server.ctl, WATERMARK, "0.4")

    await published(bus, command(1))
    await bus.check()


async def test_a_publisher_that_does_not_come_back_is_replaced(bus, command, monkeypatch):
    monkeypatch.setattr("spine_common.adapters.bus.rabbit.publish.SILENT_SECONDS", 0.0)
    monkeypatch.setattr("spine_common.adapters.bus.rabbit.publish.PROBE_SECONDS", 0.5)
    await bus.publish(command(1))
    stuck = bus._publisher.connection
    (channel,) = bus._publisher._channels.values()
    channel._RobustChannel__restored.clear()  # what no library should do, and this one has
    with pytest.raises(BusUnavailable):
        await bus.publish(command(2))

    await bus.revive()

    await bus.publish(command(3))
    assert stuck.is_closed


@pytest.fixture
def impatient(server: RabbitServer) -> Iterator[None]:
    """The broker waits three seconds for an ack, and looks every second."""
    for name, value in (("consumer_timeout", 3000), ("channel_tick_interval", 1000)):
        server.ctl("eval", f"application:set_env(rabbit, {name}, {value}).")
    yield
    for name, value in (("consumer_timeout", 1_800_000), ("channel_tick_interval", 60_000)):
        server.ctl("eval", f"application:set_env(rabbit, {name}, {value}).")


@pytest.mark.usefixtures("impatient")
async def test_work_longer_than_the_broker_waits_is_cancelled_and_its_consumer_fed_again(
    bus, command
):
    seen: list[Delivery] = []
    cancelled = []

    async def slow_at_first(delivery: Delivery) -> Verdict:
        seen.append(delivery)
        if len(seen) == 1:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(delivery)
                raise
        return Verdict.ACK

    await bus.consume(QUEUE, slow_at_first, prefetch=1)
    await bus.publish(command(1))
    await bus.publish(command(2))

    async with asyncio.timeout(20):
        while len(seen) < 3 or await bus.revive() != 1:  # noqa: ASYNC110 - as the process's watch
            await asyncio.sleep(0.2)

    assert [delivery.message_id for delivery in cancelled] == ["id-1"]
    assert sorted(str(delivery.message_id) for delivery in seen) == ["id-1", "id-1", "id-2"]
    assert await bus.waiting(QUEUE) == 0
