"""Whether the topology is there, and how it comes to be there."""

from collections import deque
from functools import partial

from aio_pika.abc import AbstractRobustConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.abc import AbstractChannel

from spine_common.adapters.bus.rabbit.connection import scratch_channel
from spine_common.adapters.bus.rabbit.publish import DECLARE
from spine_common.adapters.bus.topology import Exchange, Queue, Topology, queue_arguments
from spine_common.core.errors import Unroutable


async def declare(connection: AbstractRobustConnection, topology: Topology) -> None:
    """Create what is missing; ``Unroutable`` when something exists, but otherwise than here."""
    async with scratch_channel(connection) as channel:
        try:
            for exchange in topology.exchanges:
                await _create_exchange(channel, exchange)
            for queue in topology.queues:
                await channel.queue_declare(
                    queue.name, durable=True, arguments=queue_arguments(queue)
                )
            for binding in topology.bindings:
                await channel.queue_bind(binding.queue, binding.exchange, binding.pattern)
        except ChannelPreconditionFailed as error:
            raise Unroutable(
                f"The broker's topology differs from ours: {error}.",
                remedy="Drain and delete what differs, then run `spine bus declare` again.",
            ) from error


async def _create_exchange(channel: AbstractChannel, exchange: Exchange) -> None:
    await channel.exchange_declare(
        exchange.name,
        exchange_type=exchange.kind,
        durable=True,
        arguments={"alternate-exchange": exchange.alternate} if exchange.alternate else None,
    )


async def check(connection: AbstractRobustConnection, topology: Topology) -> None:
    """Raise ``Unroutable`` with the names of the exchanges and queues that are not there."""
    questions = deque(
        [
            *((f"exchange {e.name}", partial(_ask_for_exchange, e)) for e in topology.exchanges),
            *((f"queue {q.name}", partial(_ask_for_queue, q)) for q in topology.queues),
        ]
    )
    missing: list[str] = []
    while questions:
        try:
            async with scratch_channel(connection) as channel:
                while questions:
                    asked, ask = questions.popleft()
                    await ask(channel)
        except ChannelNotFoundEntity:
            # The broker closed the channel with its answer: the rest is asked on the next one.
            missing.append(asked)
    if missing:
        raise Unroutable(f"The broker has no {', no '.join(missing)}.", remedy=DECLARE)


async def _ask_for_exchange(exchange: Exchange, channel: AbstractChannel) -> None:
    await channel.exchange_declare(exchange.name, passive=True)


async def _ask_for_queue(queue: Queue, channel: AbstractChannel) -> None:
    await channel.queue_declare(queue.name, passive=True)


async def waiting(connection: AbstractRobustConnection, queue: str) -> int:
    """Return how many messages are ready in a queue; ``Unroutable`` when it is not there."""
    async with scratch_channel(connection) as channel:
        try:
            declared = await channel.queue_declare(queue, passive=True)
        except ChannelNotFoundEntity as error:
            raise Unroutable(f"The broker has no queue {queue}.", remedy=DECLARE) from error
    return declared.message_count or 0
