"""What is declared on RabbitMQ, and how its absence is noticed."""

import asyncio
import re
from urllib.parse import urlsplit

import aio_pika
import pytest

from spine_common.adapters.bus.rabbit import RabbitBus
from spine_common.adapters.bus.topology import SPINE, queue_arguments
from spine_common.contracts.routing import (
    COMMANDS_EXCHANGE,
    EVENTS_EXCHANGE,
    work_binding,
    work_queue,
)
from spine_common.core.errors import BusUnavailable, Unroutable
from spine_common.core.pipeline import Lane, Stage

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)


@pytest.fixture
async def undeclared(rabbit_url):
    bus = RabbitBus(rabbit_url)
    await bus.connect()
    yield bus
    await bus.close()


@pytest.fixture
def ask(rabbit_server, rabbit_url):
    """Ask the broker itself, within the test's virtual host."""
    vhost = urlsplit(rabbit_url).path.removeprefix("/")

    def get(kind):
        return rabbit_server.management.call("GET", f"/api/{kind}/{vhost}")

    return get


async def test_check_names_what_is_missing_and_what_to_run(undeclared):
    with pytest.raises(Unroutable) as missing:
        await undeclared.check()

    assert "exchange spine.commands" in str(missing.value)
    assert f"queue {NORMALIZE}" in str(missing.value)
    assert "spine bus declare" in str(missing.value)


async def test_check_names_one_missing_queue_alone(rabbit, rabbit_url):
    async with await aio_pika.connect(rabbit_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(NORMALIZE)

    with pytest.raises(Unroutable) as missing:
        await rabbit.check()

    assert missing.value.message == f"The broker has no queue {NORMALIZE}."


async def test_check_is_content_after_declare_and_consuming_declares_nothing(
    undeclared, inbox, ask
):
    with pytest.raises(Unroutable, match=NORMALIZE):
        await undeclared.consume(NORMALIZE, inbox, prefetch=1)
    assert ask("queues") == []

    await undeclared.declare()

    await undeclared.check()
    await undeclared.consume(NORMALIZE, inbox, prefetch=1)


async def test_declaring_again_and_again_harms_no_traffic_and_binds_what_was_unbound(
    rabbit, rabbit_url, inbox, command
):
    await rabbit.consume(NORMALIZE, inbox, prefetch=10)
    async with await aio_pika.connect(rabbit_url) as connection:
        queue = await (await connection.channel()).get_queue(NORMALIZE, ensure=False)
        await queue.unbind(COMMANDS_EXCHANGE, work_binding(Stage.NORMALIZE, Lane.NORMAL))
    with pytest.raises(Unroutable, match=COMMANDS_EXCHANGE):
        await rabbit.publish(command(0))
    await rabbit.declare()

    for number in range(1, 6):
        await asyncio.gather(rabbit.publish(command(number)), rabbit.declare(), rabbit.declare())

    assert [(await inbox.next()).message_id for _ in range(5)] == [f"id-{n}" for n in range(1, 6)]
    assert rabbit.live_consumers() == 1


@pytest.mark.usefixtures("rabbit")
def test_the_broker_has_exactly_the_queues_we_mean(ask):
    declared = {queue["name"]: queue for queue in ask("queues")}

    assert set(declared) == {queue.name for queue in SPINE.queues}
    for queue in SPINE.queues:
        assert declared[queue.name]["durable"]
        assert declared[queue.name]["arguments"] == queue_arguments(queue)


@pytest.mark.usefixtures("rabbit")
def test_the_broker_has_exactly_the_exchanges_and_bindings_we_mean(ask):
    exchanges = {e["name"]: e for e in ask("exchanges") if e["name"].startswith("spine.")}
    bindings = {
        (b["source"], b["routing_key"], b["destination"]) for b in ask("bindings") if b["source"]
    }

    assert {name: e["type"] for name, e in exchanges.items()} == {
        exchange.name: exchange.kind for exchange in SPINE.exchanges
    }
    assert all(exchange["durable"] for exchange in exchanges.values())
    assert exchanges[EVENTS_EXCHANGE]["arguments"] == {"alternate-exchange": "spine.unrouted"}
    assert bindings == {(b.exchange, b.pattern, b.queue) for b in SPINE.bindings}


async def test_a_queue_declared_otherwise_is_reported_not_replaced(undeclared, rabbit_url, ask):
    async with await aio_pika.connect(rabbit_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(NORMALIZE, durable=True)

    with pytest.raises(Unroutable, match=NORMALIZE):
        await undeclared.declare()

    (queue,) = [queue for queue in ask("queues") if queue["name"] == NORMALIZE]
    assert queue["arguments"].get("x-queue-type", "classic") == "classic"


async def test_limits_are_policies_set_where_a_management_url_is_known(
    rabbit_url, rabbit_server, ask
):
    assert ask("policies") == []
    bus = RabbitBus(rabbit_url, management_url=rabbit_server.management_url)
    await bus.connect()

    await bus.declare()
    await bus.declare()
    await bus.close()

    (policy,) = ask("policies")
    assert policy["definition"] == {"delivery-limit": 20, "max-length": 100_000}
    assert policy["priority"] == 0


def test_the_limits_are_for_the_queues_whose_dead_letters_are_kept():
    (policy,) = SPINE.policies
    taken = {queue.name for queue in SPINE.queues if re.search(policy.pattern, queue.name)}

    assert taken == {queue.name for queue in SPINE.queues if queue.dead_letters is not None}


async def test_the_amqp_url_s_user_serves_for_the_management_api_too(
    rabbit_url, rabbit_server, ask
):
    anonymous = urlsplit(rabbit_server.management_url)
    netloc = anonymous.netloc.rpartition("@")[2]
    bus = RabbitBus(rabbit_url, management_url=anonymous._replace(netloc=netloc).geturl())
    await bus.connect()

    await bus.declare()
    await bus.close()

    assert len(ask("policies")) == 1


@pytest.mark.parametrize("management_url", ["http://127.0.0.1:1", "ftp://127.0.0.1"])
async def test_a_management_api_that_does_not_answer_is_unavailable(rabbit_url, management_url):
    bus = RabbitBus(rabbit_url, management_url=management_url)
    await bus.connect()

    with pytest.raises(BusUnavailable, match="management"):
        await bus.declare()
    await bus.close()
