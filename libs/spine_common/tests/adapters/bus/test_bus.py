"""What every bus promises, whichever way it carries messages."""

import asyncio

import pytest
from structlog.testing import capture_logs

from spine_common.contracts.message import Message
from spine_common.contracts.routing import (
    COMMANDS_EXCHANGE,
    DEAD_LETTER_QUEUE,
    EVENTS_EXCHANGE,
    work_queue,
)
from spine_common.core.errors import Unroutable
from spine_common.core.ids import MessageId
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework.ports.bus import Verdict

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)
BACKFILL = work_queue(Stage.NORMALIZE, Lane.BACKFILL)


async def test_a_message_arrives_byte_for_byte_with_its_id_and_headers(bus, inbox, command):
    await bus.consume(NORMALIZE, inbox, prefetch=1)
    body = bytes(range(256))

    await bus.publish(command(7, body))

    delivery = await inbox.next()
    assert delivery.body == body
    assert delivery.message_id == "id-7"
    assert delivery.headers == {"traceparent": "00-7"}
    assert delivery.queue == NORMALIZE
    assert not delivery.redelivered


async def test_undecodable_bytes_arrive_as_they_are(bus, inbox, command):
    await bus.consume(NORMALIZE, inbox, prefetch=1)

    for body in (b"", b"\xff\xfe", b"{", b"null", b'"text"', b"x" * 65_536):
        await bus.publish(command(body=body))
        assert (await inbox.next()).body == body


async def test_a_message_no_queue_is_bound_for_is_unroutable(bus, command):
    with pytest.raises(Unroutable, match=r"workflow\.normal\.example"):
        await bus.publish(command(stage=Stage.WORKFLOW))


async def test_a_message_for_an_exchange_there_is_not_is_unroutable(bus, command):
    with pytest.raises(Unroutable, match=r"spine\.elsewhere"):
        await bus.publish(command(exchange="spine.elsewhere"))


async def test_publishing_goes_on_after_an_unroutable_message(bus, inbox, command):
    await bus.consume(NORMALIZE, inbox, prefetch=1)
    for lost in (command(1, stage=Stage.WORKFLOW), command(2, exchange="spine.elsewhere")):
        with pytest.raises(Unroutable):
            await bus.publish(lost)

    await bus.publish(command(3))

    assert (await inbox.next()).message_id == "id-3"


async def test_a_queue_there_is_not_can_t_be_consumed(bus, inbox):
    with pytest.raises(Unroutable, match=r"spine\.elsewhere"):
        await bus.consume("spine.elsewhere", inbox, prefetch=1)
    assert bus.live_consumers() == 0


async def test_an_event_without_subscribers_is_no_error(bus):
    async with asyncio.timeout(5):
        await bus.publish(
            Message(
                message_id=MessageId("event"),
                type="spine.event.partition.captured.v1",
                exchange=EVENTS_EXCHANGE,
                routing_key="partition.captured.example",
                body=b"{}",
            )
        )


async def test_prefetch_bounds_how_many_handlers_run(bus, workshop, command, eventually):
    await bus.consume(NORMALIZE, workshop, prefetch=3)

    async with asyncio.TaskGroup() as senders:
        for number in range(8):
            senders.create_task(bus.publish(command(number)))
        await eventually(lambda: workshop.running == 3)
        workshop.done.set()

    await eventually(lambda: workshop.finished == 8)
    assert workshop.most == 3


async def test_two_consumers_of_a_queue_share_it_each_with_its_own_prefetch(
    bus, workshop, command, eventually
):
    await bus.consume(NORMALIZE, workshop, prefetch=1)
    await bus.consume(NORMALIZE, workshop, prefetch=2)

    async with asyncio.TaskGroup() as senders:
        for number in range(9):
            senders.create_task(bus.publish(command(number)))
        await eventually(lambda: workshop.running == 3)
        workshop.done.set()

    await eventually(lambda: workshop.finished == 9)
    assert workshop.most == 3
    assert {delivery.message_id for delivery in workshop.seen} == {f"id-{n}" for n in range(9)}


async def test_an_acked_message_does_not_come_again(bus, inbox, command):
    await bus.consume(NORMALIZE, inbox, prefetch=1)

    await bus.publish(command(1))
    await bus.publish(command(2))

    assert [(await inbox.next()).message_id, (await inbox.next()).message_id] == ["id-1", "id-2"]
    assert len(inbox) == 0


async def test_a_rejected_message_lands_whole_among_the_dead_letters(
    bus, rejecting, graveyard, command
):
    await bus.consume(DEAD_LETTER_QUEUE, graveyard, prefetch=1)
    await bus.consume(NORMALIZE, rejecting, prefetch=1)

    await bus.publish(command(4, b"\x00\xff"))

    dead = await graveyard.next()
    assert dead.body == b"\x00\xff"
    assert dead.message_id == "id-4"
    assert dead.queue == DEAD_LETTER_QUEUE
    assert dead.headers["traceparent"] == "00-4"
    assert dead.headers["x-first-death-queue"] == NORMALIZE
    (death,) = dead.headers["x-death"]
    assert death.pop("time") is not None
    assert death == {
        "queue": NORMALIZE,
        "reason": "rejected",
        "exchange": COMMANDS_EXCHANGE,
        "routing-keys": ["normalize.normal.example"],
        "count": 1,
    }


async def test_a_dead_letter_waits_until_somebody_takes_them(bus, rejecting, graveyard, command):
    await bus.consume(NORMALIZE, rejecting, prefetch=1)
    await bus.publish(command(5))
    await rejecting.next()

    await bus.consume(DEAD_LETTER_QUEUE, graveyard, prefetch=1)

    assert (await graveyard.next()).message_id == "id-5"


async def test_a_dead_letter_rejected_in_turn_is_kept_apart(bus, rejecting, command, inbox):
    await bus.consume(NORMALIZE, rejecting, prefetch=1)
    await bus.consume(DEAD_LETTER_QUEUE, rejecting, prefetch=1)
    await bus.publish(command(6, b"evidence"))

    await bus.consume("spine.dlq.refused", inbox, prefetch=1)

    refused = await inbox.next()
    assert refused.body == b"evidence"
    assert [death["queue"] for death in refused.headers["x-death"]] == [
        DEAD_LETTER_QUEUE,
        NORMALIZE,
    ]


async def _raises(_):
    raise RuntimeError("the handler is broken")


async def _answers_nothing(_):
    return None


async def _lets_a_cancellation_escape(_):
    waiting = asyncio.get_running_loop().create_future()
    waiting.cancel()
    await waiting


@pytest.mark.parametrize("handler", [_raises, _answers_nothing, _lets_a_cancellation_escape])
async def test_a_handler_that_gives_no_verdict_rejects_and_is_logged(
    bus, graveyard, command, handler
):
    await bus.consume(DEAD_LETTER_QUEUE, graveyard, prefetch=1)
    await bus.consume(NORMALIZE, handler, prefetch=1)

    with capture_logs() as logs:
        await bus.publish(command(8))
        dead = await graveyard.next()

    assert dead.message_id == "id-8"
    (failure,) = [entry for entry in logs if entry["log_level"] == "error"]
    assert failure["queue"] == NORMALIZE
    assert failure["message_id"] == "id-8"
    assert failure["exc_info"]


async def test_a_consumer_goes_on_after_its_handler_raised(bus, command, eventually):
    seen = []

    async def fails_once(delivery):
        seen.append(delivery.message_id)
        if len(seen) == 1:
            raise RuntimeError("the handler is broken")
        return Verdict.ACK

    await bus.consume(NORMALIZE, fails_once, prefetch=1)
    await bus.publish(command(1))
    await bus.publish(command(2))

    await eventually(lambda: seen == ["id-1", "id-2"])
    assert bus.live_consumers() == 1


async def test_a_consumer_that_starts_later_gets_what_was_published_earlier(bus, inbox, command):
    async with asyncio.TaskGroup() as senders:
        for number in range(20):
            senders.create_task(bus.publish(command(number)))
        await asyncio.sleep(0)
        await bus.consume(NORMALIZE, inbox, prefetch=20)
        early = {(await inbox.next()).message_id for _ in range(20)}

    assert early == {f"id-{number}" for number in range(20)}


async def test_lanes_are_separate_queues(bus, workshop, inbox, command, eventually):
    await bus.consume(BACKFILL, workshop, prefetch=1)
    await bus.consume(NORMALIZE, inbox, prefetch=1)

    async with asyncio.TaskGroup() as senders:
        for number in range(3):
            senders.create_task(bus.publish(command(number, lane=Lane.BACKFILL)))
        await eventually(lambda: workshop.running == 1)
        await bus.publish(command(9))
        assert (await inbox.next()).message_id == "id-9"
        workshop.done.set()

    await eventually(lambda: workshop.finished == 3)
    assert len(inbox) == 0


async def test_declaring_again_changes_nothing(bus, inbox, command):
    await bus.consume(NORMALIZE, inbox, prefetch=1)

    await bus.declare()
    await bus.check()

    await bus.publish(command(3))
    assert (await inbox.next()).message_id == "id-3"
