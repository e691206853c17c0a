"""How FastStream feeds one handler from one queue, and what it does not say about that itself."""

import contextlib
import logging
from typing import Any

import structlog
from faststream import AckPolicy
from faststream.exceptions import RejectMessage
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue
from faststream.rabbit.subscriber import RabbitSubscriber

from spine_common.adapters.bus.rabbit.connection import (
    CONNECT_SECONDS,
    RECONNECT_SECONDS,
    close_soon,
    named,
)
from spine_common.adapters.bus.verdict import verdict_of
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.ports.bus import Delivery, Handler, Verdict

CANCEL_SECONDS = 2.0
log = structlog.get_logger(__name__)


def new_broker(url: str, graceful_timeout: float) -> RabbitBroker:
    """Return FastStream's side of one connection for consumers, not open yet."""
    return RabbitBroker(
        named(url, "consumer"),
        timeout=CONNECT_SECONDS,
        reconnect_interval=RECONNECT_SECONDS,
        graceful_timeout=graceful_timeout,
        logger=_FrameworkLog(),
        apply_types=False,
    )


async def feed(
    broker: RabbitBroker, queue: str, handler: Handler, prefetch: int
) -> RabbitSubscriber:
    """Start to feed a handler from a queue that is there, on a channel of its own."""
    # FastStream remembers queues by name: without forgetting, a second consumer of the same
    # queue would sit on the first one's channel, under the first one's prefetch.
    broker.config.declarer.disconnect()
    own = Channel(prefetch_count=prefetch, publisher_confirms=False)
    channel = await broker.config.channel_manager.get_channel(own)
    try:
        subscriber = broker.subscriber(
            RabbitQueue(queue, declare=False),
            channel=own,
            # Whatever fails before the handler is reached is a reject; MANUAL would leave the
            # message unacked for ever.
            ack_policy=AckPolicy.REJECT_ON_ERROR,
            decoder=_undecoded,
            no_reply=True,
        )
        subscriber(_answer_with(handler, queue))
        # FastStream drops, unacked, what arrives before its own start() has ended, and a queue
        # with messages waiting sends them together with its consume-ok.
        subscriber.running = True
        await subscriber.start()
    except BaseException:
        # Left open it would be brought back with every connection, with nobody on it.
        await close_soon(channel)
        raise
    return subscriber


def is_fed(subscriber: RabbitSubscriber | None) -> bool:
    """Say whether its channel is open and the broker has not cancelled it."""
    if subscriber is None:
        return False
    # Neither library says publicly which consumers the broker still feeds.
    queue, tag = subscriber._queue_obj, subscriber._consumer_tag  # noqa: SLF001
    underlay = queue.channel._channel if queue is not None else None  # type: ignore[attr-defined]  # noqa: SLF001
    if underlay is None or underlay.channel.is_closed:
        return False
    return tag in underlay.channel.consumers


async def dismiss(subscriber: RabbitSubscriber) -> None:
    """Close the channel of a subscriber that is not fed, or it would come back beside its heir."""
    queue = subscriber._queue_obj  # noqa: SLF001 - the libraries have no other way to it
    subscriber._consumer_tag = None  # noqa: SLF001 - or FastStream asks again, without limit
    subscriber.running = False
    if queue is not None:
        await close_soon(queue.channel)


async def stop_feeding(subscriber: RabbitSubscriber) -> None:
    """Let the broker send no more; what has come is still handled."""
    queue, tag = subscriber._queue_obj, subscriber._consumer_tag  # noqa: SLF001
    if queue is not None and tag is not None and is_fed(subscriber):
        subscriber._consumer_tag = None  # noqa: SLF001 - or FastStream asks again, without limit
        # The connection is closed next in any case.
        with contextlib.suppress(Exception):
            await queue.cancel(tag, timeout=CANCEL_SECONDS)


def _answer_with(handler: Handler, queue: str) -> Any:
    async def answer(message: RabbitMessage) -> None:
        raw = message.raw_message
        delivery = Delivery(
            body=raw.body,
            headers=dict(raw.headers),
            queue=queue,
            message_id=raw.message_id,
            redelivered=bool(raw.redelivered),
        )
        verdict = await verdict_of(handler, delivery)
        await reached(Failpoint.ACK_BEFORE)
        if verdict is Verdict.REJECT:
            raise RejectMessage

    return answer


async def _undecoded(message: RabbitMessage) -> RabbitMessage:
    """Hand the message over as it came: reading it is the framework's business."""
    return message


class _FrameworkLog:
    """Passes on what FastStream swallows: deliveries whose ack failed, or that were cut off."""

    def log(
        self,
        level: int,
        msg: Any,
        /,
        *,
        exc_info: Any = None,
        extra: Any = None,
    ) -> None:
        if level >= logging.WARNING:
            context = dict(extra or {})
            log.warning("delivery not settled", reason=msg, error=repr(exc_info), **context)
