"""What the bus inside one process promises beyond every bus: a sent message was handled."""

import asyncio

import pytest

from spine_common.contracts.routing import DEAD_LETTER_QUEUE, work_queue
from spine_common.core.errors import BusUnavailable
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework.ports.bus import Verdict

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)


async def test_publish_returns_when_the_message_was_handled(
    inprocess, workshop, command, eventually
):
    await inprocess.consume(NORMALIZE, workshop, prefetch=1)
    publishing = asyncio.create_task(inprocess.publish(command()))
    await eventually(lambda: workshop.running == 1)
    assert not publishing.done()

    workshop.done.set()
    await publishing

    assert workshop.finished == 1


async def test_publish_of_a_rejected_message_returns_when_its_dead_letter_was_handled(
    inprocess, rejecting, workshop, command, eventually
):
    await inprocess.consume(DEAD_LETTER_QUEUE, workshop, prefetch=1)
    await inprocess.consume(NORMALIZE, rejecting, prefetch=1)
    publishing = asyncio.create_task(inprocess.publish(command()))
    await eventually(lambda: workshop.running == 1)
    assert not publishing.done()

    workshop.done.set()
    await publishing


async def test_a_dead_letter_made_while_closing_is_still_handled(
    inprocess, graveyard, command, eventually
):
    running, finish = asyncio.Event(), asyncio.Event()

    async def rejects_late(_):
        running.set()
        await finish.wait()
        return Verdict.REJECT

    await inprocess.consume(DEAD_LETTER_QUEUE, graveyard, prefetch=1)
    await inprocess.consume(NORMALIZE, rejects_late, prefetch=1)
    publishing = asyncio.create_task(inprocess.publish(command(3)))
    await running.wait()

    closing = asyncio.create_task(inprocess.close())
    await eventually(lambda: inprocess.live_consumers() == 1)
    finish.set()
    await closing

    assert (await graveyard.next()).message_id == "id-3"
    await publishing


async def test_what_nobody_handled_before_close_stays_with_its_publisher(
    inprocess, workshop, command, eventually
):
    await inprocess.consume(NORMALIZE, workshop, prefetch=1)
    sending = [asyncio.create_task(inprocess.publish(command(number))) for number in range(3)]
    sending.append(asyncio.create_task(inprocess.publish(command(9, lane=Lane.SLOW))))
    await eventually(lambda: workshop.running == 1)

    await inprocess.close(grace=0)

    results = await asyncio.gather(*sending, return_exceptions=True)
    assert [type(result) for result in results] == [BusUnavailable] * 4


async def test_a_message_whose_publisher_gave_up_is_withdrawn(inprocess, inbox, command):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inprocess.publish(command(1)), 0.01)

    await inprocess.consume(NORMALIZE, inbox, prefetch=1)
    await inprocess.publish(command(2))

    assert (await inbox.next()).message_id == "id-2"


async def test_a_handler_outlives_the_publisher_that_gave_up(
    inprocess, workshop, command, eventually
):
    await inprocess.consume(NORMALIZE, workshop, prefetch=1)
    publishing = asyncio.create_task(inprocess.publish(command()))
    await eventually(lambda: workshop.running == 1)

    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    workshop.done.set()

    await eventually(lambda: workshop.finished == 1)


async def test_only_the_newest_unheard_events_are_kept(inprocess, inbox, command):
    for number in range(1_005):
        await inprocess.publish(command(number, exchange="spine.events"))

    await inprocess.consume("spine.unrouted", inbox, prefetch=1)

    assert (await inbox.next()).message_id == "id-5"


async def test_before_connect_the_bus_takes_nothing(inprocess, command):
    unconnected = type(inprocess)()

    with pytest.raises(BusUnavailable):
        await unconnected.publish(command())


async def test_a_closed_bus_can_be_connected_again(inprocess, inbox, command):
    await inprocess.close()
    await inprocess.connect()

    await inprocess.consume(NORMALIZE, inbox, prefetch=1)
    await inprocess.publish(command(1))

    assert (await inbox.next()).message_id == "id-1"
