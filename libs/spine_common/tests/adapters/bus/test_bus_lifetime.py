"""How a bus of either kind ends, and what it says of itself until then."""

import asyncio

import pytest

from spine_common.contracts.routing import work_queue
from spine_common.core.errors import BusUnavailable
from spine_common.core.pipeline import Lane, Stage

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)
BACKFILL = work_queue(Stage.NORMALIZE, Lane.BACKFILL)


async def test_close_waits_for_running_handlers_and_starts_no_more(
    bus, workshop, command, eventually
):
    await bus.consume(NORMALIZE, workshop, prefetch=1)
    sending = [asyncio.create_task(bus.publish(command(number))) for number in range(2)]
    await eventually(lambda: workshop.running == 1)

    closing = asyncio.create_task(bus.close(grace=10))
    await eventually(lambda: bus.live_consumers() == 0)
    ended, _ = await asyncio.wait({closing}, timeout=0.3)
    assert not ended
    assert workshop.running == 1
    workshop.done.set()
    await closing

    assert workshop.finished == 1
    assert len(workshop.seen) == 1
    await asyncio.gather(*sending, return_exceptions=True)


async def test_close_gives_up_on_a_handler_when_its_grace_is_over(
    bus, workshop, command, eventually
):
    await bus.consume(NORMALIZE, workshop, prefetch=1)
    sending = asyncio.create_task(bus.publish(command()))
    await eventually(lambda: workshop.running == 1)

    async with asyncio.timeout(5):
        await bus.close(grace=0.05)

    await eventually(lambda: workshop.running == 0)
    assert workshop.finished == 0
    await asyncio.gather(sending, return_exceptions=True)


async def test_live_consumers_are_counted_until_the_bus_closes(bus, inbox):
    assert bus.live_consumers() == 0
    await bus.consume(NORMALIZE, inbox, prefetch=1)
    await bus.consume(BACKFILL, inbox, prefetch=1)
    assert bus.live_consumers() == 2

    await bus.close()

    assert bus.live_consumers() == 0


async def test_a_closed_bus_takes_nothing(bus, inbox, command):
    await bus.close()

    with pytest.raises(BusUnavailable):
        await bus.publish(command())
    with pytest.raises(BusUnavailable):
        await bus.check()
    with pytest.raises(BusUnavailable):
        await bus.consume(NORMALIZE, inbox, prefetch=1)


async def test_a_bus_can_be_closed_twice(bus):
    await bus.close()
    await bus.close()
