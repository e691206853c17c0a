"""Whether a message whose properties can't be read is one message, and not the connection's end."""

from urllib.parse import quote, urlsplit

import aio_pika
import pytest

from spine_common.contracts.routing import work_queue
from spine_common.core.pipeline import Lane, Stage

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)
SLOW = work_queue(Stage.NORMALIZE, Lane.SLOW)


class NotUtf8(str):
    """Text that goes onto the wire as bytes no UTF-8 has."""

    __slots__ = ()

    def encode(self, *_args):
        return b"\xff\xfe"


@pytest.fixture
async def send(rabbit, rabbit_url):
    """Send a body with properties of the test's own making."""
    await rabbit.check()
    connection = await aio_pika.connect(rabbit_url)
    channel = await (await connection.channel()).get_underlay_channel()

    async def publish(properties):
        await channel.basic_publish(b"{}", routing_key=NORMALIZE, properties=properties)

    yield publish
    await connection.close()


@pytest.fixture
async def at_work(rabbit, workshop, command, eventually):
    """Something else under way on the same connection."""
    await rabbit.consume(SLOW, workshop, prefetch=1)
    await rabbit.publish(command(99, lane=Lane.SLOW))
    await eventually(lambda: workshop.running == 1)
    yield workshop
    assert len(workshop.seen) == 1, "the connection was lost"
    workshop.done.set()


@pytest.mark.usefixtures("at_work")
async def test_an_id_that_is_no_utf_8_arrives_escaped(rabbit, send, inbox):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    properties = aio_pika.Message(b"", message_id="x", headers={"kept": "whole"}).properties
    properties.message_id = NotUtf8("unreadable")

    await send(properties)

    delivery = await inbox.next()
    assert (delivery.body, delivery.message_id) == (b"{}", r"\xff\xfe")
    assert delivery.headers == {"kept": "whole"}


@pytest.mark.usefixtures("at_work")
async def test_headers_that_can_not_be_read_are_kept_as_they_came(rabbit, send, inbox):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    properties = aio_pika.Message(b"", message_id="id-7").properties
    properties.headers = {NotUtf8("key"): "value"}

    await send(properties)

    delivery = await inbox.next()
    assert delivery.message_id == "id-7"
    (kept,) = delivery.headers.values()
    assert b"\xff\xfe" in kept
    assert b"value" in kept


@pytest.mark.usefixtures("at_work")
async def test_a_time_no_calendar_has_is_none(rabbit, rabbit_server, rabbit_url, inbox):
    await rabbit.consume(NORMALIZE, inbox, prefetch=1)
    vhost = quote(urlsplit(rabbit_url).path.removeprefix("/"), safe="")
    rabbit_server.management.call(
        "POST",
        f"/api/exchanges/{vhost}/amq.default/publish",
        {
            "properties": {"timestamp": 2**60, "message_id": "late"},
            "routing_key": NORMALIZE,
            "payload": "{}",
            "payload_encoding": "string",
        },
    )

    assert (await inbox.next()).message_id == "late"
