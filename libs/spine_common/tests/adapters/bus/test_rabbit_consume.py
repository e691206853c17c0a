"""What a RabbitMQ consumer lives through, and what it says about itself meanwhile."""

import asyncio
import contextlib

import aio_pika
import pytest
from structlog.testing import capture_logs

from spine_common.adapters.bus.rabbit import RabbitBus
from spine_common.contracts.routing import DEAD_LETTER_QUEUE, work_queue
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework.ports.bus import Verdict

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)
BACKFILL = work_queue(Stage.NORMALIZE, Lane.BACKFILL)


@pytest.fixture
async def admin(rabbit_url):
    """A channel of the test's own, beside the bus."""
    connection = await aio_pika.connect(rabbit_url)
    yield await connection.channel()
    await connection.close()


@pytest.fixture
async def wired(wire):
    """A bus whose connection the test can cut."""
    bus = RabbitBus(wire.url)
    await bus.connect()
    yield bus
    await bus.close(grace=0)


async def depth(admin, queue):
    connection = admin._connection
    async with connection.channel() as fresh:
        declared = await fresh.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count


async def until_depth(admin, queue, messages):
    async with asyncio.timeout(10):
        while await depth(admin, queue) != messages:  # noqa: ASYNC110 - the broker tells when asked
            await asyncio.sleep(0.05)


async def test_an_unacked_message_comes_again_when_the_connection_is_cut(
    wired, wire, workshop, command, eventually
):
    await wired.consume(NORMALIZE, workshop, prefetch=1)
    await wired.publish(command(1))
    await eventually(lambda: workshop.running == 1)

    wire.cut()

    await eventually(lambda: len(workshop.seen) == 2)
    first, second = workshop.seen
    assert (first.message_id, first.redelivered) == ("id-1", False)
    assert (second.message_id, second.redelivered) == ("id-1", True)
    workshop.done.set()


async def test_live_consumers_fall_to_none_without_a_connection_and_recover(
    wired, wire, inbox, eventually
):
    await wired.consume(NORMALIZE, inbox, prefetch=1)
    await wired.consume(BACKFILL, inbox, prefetch=1)
    assert wired.live_consumers() == 2

    wire.cut()

    await eventually(lambda: wired.live_consumers() == 0)
    await eventually(lambda: wired.live_consumers() == 2)


async def test_a_bus_without_a_connection_closes_at_once(wired, wire, workshop, eventually):
    await wired.consume(NORMALIZE, workshop, prefetch=1)
    await wire.close()
    await eventually(lambda: wired.live_consumers() == 0)

    async with asyncio.timeout(3):
        await wired.close(grace=1)


async def test_consumers_recover_when_the_broker_closes_their_connection(
    rabbit, inbox, command, eventually
):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    connection = await rabbit._consumers._broker.connect()
    channel = await connection.transport.connection.channel()
    with contextlib.suppress(aio_pika.exceptions.AMQPError):
        # The broker answers a flag it does not implement by closing the whole connection.
        await channel.basic_publish(b"", exchange="", immediate=True)
    await eventually(lambda: rabbit.live_consumers() == 0)

    await rabbit.publish(command(2))

    assert (await inbox.next()).message_id == "id-2"
    assert rabbit.live_consumers() == 1


async def test_a_consumer_whose_queue_is_deleted_is_not_live_until_it_is_declared_again(
    rabbit, admin, inbox, command, eventually
):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    await rabbit.consume(BACKFILL, inbox, prefetch=1)

    await admin.queue_delete(NORMALIZE)
    await eventually(lambda: rabbit.live_consumers() == 1)

    await rabbit.declare()
    await eventually(lambda: rabbit.live_consumers() == 2)
    await rabbit.publish(command(1))
    assert (await inbox.next()).message_id == "id-1"


async def test_an_acked_message_leaves_nothing_and_a_rejected_one_a_dead_letter(
    rabbit, admin, inbox, rejecting, command
):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    await rabbit.consume(BACKFILL, rejecting, prefetch=1)
    await rabbit.publish(command(1))
    await rabbit.publish(command(2, lane=Lane.BACKFILL))
    await inbox.next()
    await rejecting.next()
    await rabbit.close()

    assert await depth(admin, NORMALIZE) == 0
    assert await depth(admin, BACKFILL) == 0
    await until_depth(admin, DEAD_LETTER_QUEUE, 1)


async def test_what_close_gave_up_on_is_in_the_queue_again(
    rabbit, admin, workshop, command, eventually
):
    await rabbit.consume(NORMALIZE, workshop, prefetch=2)
    await rabbit.publish(command(1))
    await rabbit.publish(command(2))
    await eventually(lambda: workshop.running == 2)

    await rabbit.close(grace=0)

    await until_depth(admin, NORMALIZE, 2)


async def test_a_sender_s_reply_to_is_not_answered(rabbit, admin, inbox):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    message = aio_pika.Message(b"{}", message_id="asks", reply_to=BACKFILL)
    await admin.default_exchange.publish(message, NORMALIZE)
    await inbox.next()
    await rabbit.close()

    assert await depth(admin, NORMALIZE) == 0
    assert await depth(admin, BACKFILL) == 0


async def test_a_message_without_an_id_arrives_without_one(rabbit, admin, inbox):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    message = aio_pika.Message(b"\xff", content_type="application/json", content_encoding="gzip")

    channel = await admin.get_underlay_channel()
    await channel.basic_publish(message.body, routing_key=NORMALIZE, properties=message.properties)

    delivery = await inbox.next()
    assert delivery.body == b"\xff"
    assert delivery.headers == {}


async def test_an_ack_that_comes_too_late_is_logged_and_the_message_comes_again(
    wired, wire, command, eventually
):
    deliveries = []
    cut = asyncio.Event()

    async def stubborn(delivery):
        deliveries.append(delivery)
        if len(deliveries) == 1:
            with contextlib.suppress(asyncio.CancelledError):
                await cut.wait()
        return Verdict.ACK

    await wired.consume(NORMALIZE, stubborn, prefetch=1)
    await wired.publish(command(1))
    await eventually(lambda: len(deliveries) == 1)

    with capture_logs() as logs:
        wire.cut()
        await eventually(lambda: len(deliveries) == 2)

    assert deliveries[1].redelivered
    assert "delivery not settled" in [entry["event"] for entry in logs]


async def test_the_prefetch_holds_after_a_reconnect(wired, wire, workshop, command, eventually):
    await wired.consume(NORMALIZE, workshop, prefetch=2)
    for number in range(6):
        await wired.publish(command(number))
    await eventually(lambda: workshop.running == 2)

    wire.cut()

    await eventually(lambda: len(workshop.seen) == 4)
    assert workshop.most == 2
    workshop.done.set()
    await eventually(lambda: workshop.finished == 6)
    assert workshop.most == 2
