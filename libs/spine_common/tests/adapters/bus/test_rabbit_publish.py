"""When RabbitMQ has a message, and what a publisher hears when it has not."""

import asyncio

import aio_pika
import pytest

from spine_common.adapters.bus.rabbit import RabbitBus
from spine_common.contracts.routing import COMMANDS_EXCHANGE, work_queue
from spine_common.core.errors import BusUnavailable, Unroutable
from spine_common.core.pipeline import Lane, Stage

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)


@pytest.fixture
async def admin(rabbit_url):
    """A channel of the test's own, beside the bus."""
    connection = await aio_pika.connect(rabbit_url)
    yield await connection.channel()
    await connection.close()


async def test_a_published_message_is_persistent_typed_json(rabbit, admin, command):
    await rabbit.publish(command(3))

    queue = await admin.get_queue(NORMALIZE)
    message = await queue.get()
    await message.ack()

    assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert message.type == "spine.command.normalize.v1"
    assert message.content_type == "application/json"
    assert message.message_id == "id-3"
    assert message.reply_to is None


async def test_of_two_publishes_of_one_id_none_takes_the_other_s_confirmation(rabbit, command):
    lost = command(stage=Stage.WORKFLOW)

    results = await asyncio.gather(
        *(rabbit.publish(lost) for _ in range(5)), return_exceptions=True
    )

    assert [type(result) for result in results] == [Unroutable] * 5


async def test_a_lost_exchange_harms_no_consumer_and_no_other_exchange(
    rabbit, admin, inbox, command
):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    await rabbit.publish(command(1))
    await inbox.next()
    await admin.exchange_delete(COMMANDS_EXCHANGE)

    with pytest.raises(Unroutable, match=COMMANDS_EXCHANGE):
        await rabbit.publish(command(2))
    assert rabbit.live_consumers() == 1
    await rabbit.publish(command(3, exchange="spine.dlx"))

    await rabbit.declare()
    await rabbit.publish(command(4))
    assert (await inbox.next()).message_id == "id-4"


async def test_a_full_queue_that_refuses_leaves_the_message_with_the_publisher(
    rabbit, rabbit_url, rabbit_server, command
):
    vhost = rabbit_url.rpartition("/")[2]
    rabbit_server.management.call(
        "PUT",
        f"/api/policies/{vhost}/tiny",
        {"pattern": NORMALIZE, "definition": {"max-length": 1}, "apply-to": "queues"},
    )

    async def fill():
        for number in range(10):
            await rabbit.publish(command(number))

    with pytest.raises(BusUnavailable):
        await fill()


async def test_a_broker_that_does_not_confirm_is_unavailable_within_the_limit(wire, command):
    bus = RabbitBus(wire.url, publish_timeout=0.3)
    await bus.connect()
    await bus.publish(command(1))
    wire.freeze()

    async with asyncio.timeout(5):
        with pytest.raises(BusUnavailable, match="id-2"):
            await bus.publish(command(2))

    wire.cut()
    await bus.close()


async def test_a_connection_lost_before_the_confirmation_is_unavailable_not_cancelled(
    wire, command
):
    bus = RabbitBus(wire.url)
    await bus.connect()
    await bus.publish(command(1))
    wire.freeze()
    publishing = [asyncio.create_task(bus.publish(command(number))) for number in range(2, 5)]
    await asyncio.sleep(0.05)

    wire.cut()

    results = await asyncio.gather(*publishing, return_exceptions=True)
    assert [type(result) for result in results] == [BusUnavailable] * 3
    await bus.close()


async def test_close_fails_what_is_still_being_published(wire, command):
    bus = RabbitBus(wire.url)
    await bus.connect()
    await bus.publish(command(1))
    wire.freeze()
    publishing = asyncio.create_task(bus.publish(command(2)))
    await asyncio.sleep(0.05)

    async with asyncio.timeout(8):
        await bus.close(grace=0)

    with pytest.raises(BusUnavailable):
        await publishing


async def test_publishing_goes_on_by_itself_after_a_lost_connection(wire, command):
    bus = RabbitBus(wire.url)
    await bus.connect()
    await bus.publish(command(1))

    wire.cut()

    published = False
    async with asyncio.timeout(10):
        while not published:
            try:
                await bus.publish(command(2))
                published = True
            except BusUnavailable:
                await asyncio.sleep(0.05)
    await bus.close()


async def test_a_publish_that_is_cancelled_stays_cancelled(wire, command):
    bus = RabbitBus(wire.url)
    await bus.connect()
    await bus.publish(command(1))
    wire.freeze()
    publishing = asyncio.create_task(bus.publish(command(2)))
    await asyncio.sleep(0.05)

    publishing.cancel()

    with pytest.raises(asyncio.CancelledError):
        await publishing
    wire.cut()
    await bus.close()


async def test_a_key_no_broker_takes_is_one_of_our_errors(rabbit, command):
    message = command()
    too_long = type(message)(
        message.message_id, message.type, message.exchange, "k" * 300, message.body
    )

    with pytest.raises(BusUnavailable, match="too long"):
        await rabbit.publish(too_long)


async def test_no_broker_at_all_is_unavailable(unused_tcp_port):
    bus = RabbitBus(f"amqp://guest:guest@127.0.0.1:{unused_tcp_port}/")

    with pytest.raises(BusUnavailable, match="connecting"):
        await bus.connect()
    await bus.close()
