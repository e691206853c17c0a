"""Whether one can see how many messages wait in a queue, also from where nobody consumes it."""

import asyncio

import pytest

from spine_common.adapters.bus.rabbit import RabbitBus
from spine_common.contracts.routing import work_queue
from spine_common.core.errors import BusUnavailable, Unroutable
from spine_common.core.pipeline import Lane, Stage

QUEUE = work_queue(Stage.NORMALIZE, Lane.NORMAL)


async def test_an_empty_queue_holds_nothing(bus):
    assert await bus.waiting(QUEUE) == 0


async def test_what_nobody_takes_waits(bus, command):
    publishing = [asyncio.create_task(bus.publish(command(n))) for n in range(3)]
    async with asyncio.timeout(10):
        while await bus.waiting(QUEUE) != 3:  # noqa: ASYNC110 - a queue tells when asked
            await asyncio.sleep(0.01)
    for task in publishing:
        task.cancel()
    await asyncio.gather(*publishing, return_exceptions=True)


async def test_what_is_being_handled_waits_no_more(bus, command, workshop, eventually):
    await bus.consume(QUEUE, workshop, prefetch=1)
    publishing = asyncio.create_task(bus.publish(command(1)))
    await eventually(lambda: workshop.running == 1)

    assert await bus.waiting(QUEUE) == 0

    workshop.done.set()
    await publishing


async def test_a_queue_that_is_not_there_is_named(bus):
    with pytest.raises(Unroutable, match="nowhere"):
        await bus.waiting("spine.nowhere")


async def test_without_a_connection_nothing_can_be_seen(rabbit_url):
    with pytest.raises(BusUnavailable):
        await RabbitBus(rabbit_url).waiting(QUEUE)
