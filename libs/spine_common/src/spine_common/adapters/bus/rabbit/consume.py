"""Who is fed from which queue, how many deliveries at a time, and whether that still holds."""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass
from typing import Any

import structlog
from aio_pika.abc import AbstractRobustConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from faststream import AckPolicy
from faststream.exceptions import RejectMessage
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue
from faststream.rabbit.subscriber import RabbitSubscriber

from spine_common.adapters.bus.rabbit.connection import (
    CONNECT_SECONDS,
    RECONNECT_SECONDS,
    named,
)
from spine_common.adapters.bus.rabbit.failures import broker_failures
from spine_common.adapters.bus.rabbit.publish import DECLARE
from spine_common.adapters.bus.verdict import verdict_of
from spine_common.core.errors import Unroutable
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.ports.bus import Delivery, Handler, Verdict

ANSWER_SECONDS = 10.0
CLOSE_SECONDS = 2.0
STARVED_SECONDS = 3.0
"""How long the libraries get to bring a consumer back by themselves."""
log = structlog.get_logger(__name__)


@dataclass
class _Consumer:
    """What was asked for, and the subscriber that answers it at present."""

    queue: str
    handler: Handler
    prefetch: int
    subscriber: RabbitSubscriber | None = None
    starved_since: float | None = None


class Consumers:
    """The consumers of one process, on one connection, each on a channel of its own."""

    def __init__(self, url: str, graceful_timeout: float) -> None:
        self._fed: list[_Consumer] = []
        self._starting = asyncio.Lock()
        self._connection: AbstractRobustConnection | None = None
        self._broker = RabbitBroker(
            named(url, "consumer"),
            timeout=CONNECT_SECONDS,
            reconnect_interval=RECONNECT_SECONDS,
            graceful_timeout=graceful_timeout,
            logger=_FrameworkLog(),
            apply_types=False,
        )

    async def consume(self, queue: str, handler: Handler, prefetch: int) -> None:
        """Start one consumer; ``Unroutable`` when its queue was never declared."""
        async with self._starting:
            with broker_failures(f"starting to consume {queue}"):
                try:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        consumer = _Consumer(queue, handler, prefetch)
                        await self._start(consumer)
                        self._fed.append(consumer)
                except ChannelNotFoundEntity as error:
                    raise Unroutable(f"The broker has no queue {queue}.", remedy=DECLARE) from error

    async def revive(self) -> int:
        """Start those again that have not been fed for a while although we are connected.

        A consumer of a queue that was deleted stays away for good, and so does one whose
        connection came back while its queue was missing: the libraries try once.
        """
        async with self._starting:
            for consumer in self._fed:
                if self._is_starved(consumer):
                    with broker_failures(f"consuming {consumer.queue} again"):
                        async with asyncio.timeout(ANSWER_SECONDS):
                            await self._start_again(consumer)
        return self.live()

    def _is_starved(self, consumer: _Consumer) -> bool:
        connected = self._connection is not None and self._connection.connected.is_set()
        if not connected or _is_fed(consumer.subscriber):
            consumer.starved_since = None
            return False
        if consumer.starved_since is None:
            consumer.starved_since = time.monotonic()
        return time.monotonic() - consumer.starved_since > STARVED_SECONDS

    async def _start_again(self, consumer: _Consumer) -> None:
        log.warning("consumer_revived", queue=consumer.queue)
        if consumer.subscriber is not None:
            await _dismiss(consumer.subscriber)
            consumer.subscriber = None
        try:
            await self._start(consumer)
        except ChannelNotFoundEntity as error:
            raise Unroutable(
                f"The broker has no queue {consumer.queue}.", remedy=DECLARE
            ) from error
        consumer.starved_since = None

    async def _start(self, consumer: _Consumer) -> None:
        self._connection = await self._broker.connect()
        # FastStream remembers queues by name: without forgetting, a second consumer of the same
        # queue would sit on the first one's channel, under the first one's prefetch.
        self._broker.config.declarer.disconnect()
        subscriber = self._broker.subscriber(
            RabbitQueue(consumer.queue, declare=False),
            channel=Channel(prefetch_count=consumer.prefetch, publisher_confirms=False),
            # Whatever fails before the handler is reached is a reject; MANUAL would leave the
            # message unacked for ever.
            ack_policy=AckPolicy.REJECT_ON_ERROR,
            decoder=_undecoded,
            no_reply=True,
        )
        subscriber(_answer_with(consumer.handler, consumer.queue))
        # FastStream drops, unacked, what arrives before its own start() has ended, and a queue
        # with messages waiting sends them together with its consume-ok.
        subscriber.running = True
        await subscriber.start()
        consumer.subscriber = subscriber

    def live(self) -> int:
        """Count the consumers whose channel is open and whose tag the broker has not cancelled."""
        return sum(_is_fed(consumer.subscriber) for consumer in self._fed)

    async def close(self, grace: float) -> None:
        """Stop taking deliveries, give handlers ``grace`` seconds, close the connection."""
        async with self._starting:
            # FastStream would go on receiving, and dropping, while it waits for handlers.
            subscribers = [one.subscriber for one in self._fed if one.subscriber is not None]
            await asyncio.gather(*(_stop_feeding(subscriber) for subscriber in subscribers))
            self._broker.config.broker_config.graceful_timeout = grace
            try:
                async with asyncio.timeout(grace + CLOSE_SECONDS):
                    await self._broker.stop()
            except Exception as error:  # noqa: BLE001 - closing goes on, whatever the broker says
                log.warning("consumers closed without the broker's consent", reason=repr(error))
            finally:
                if self._connection is not None:
                    await self._connection.close()
                self._fed.clear()


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


def _is_fed(subscriber: RabbitSubscriber | None) -> bool:
    if subscriber is None:
        return False
    # Neither library says publicly which consumers the broker still feeds.
    queue, tag = subscriber._queue_obj, subscriber._consumer_tag  # noqa: SLF001
    underlay = queue.channel._channel if queue is not None else None  # type: ignore[attr-defined]  # noqa: SLF001
    if underlay is None or underlay.channel.is_closed:
        return False
    return tag in underlay.channel.consumers


async def _dismiss(subscriber: RabbitSubscriber) -> None:
    """Close the channel of a subscriber that is not fed, or it would come back beside its heir."""
    queue = subscriber._queue_obj  # noqa: SLF001 - the libraries have no other way to it
    subscriber._consumer_tag = None  # noqa: SLF001 - or FastStream asks again, without limit
    subscriber.running = False
    if queue is not None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_SECONDS):
                await queue.channel.close()


async def _stop_feeding(subscriber: RabbitSubscriber) -> None:
    queue, tag = subscriber._queue_obj, subscriber._consumer_tag  # noqa: SLF001
    if queue is not None and tag is not None and _is_fed(subscriber):
        subscriber._consumer_tag = None  # noqa: SLF001 - or FastStream asks again, without limit
        # The connection is closed next in any case.
        with contextlib.suppress(Exception):
            await queue.cancel(tag, timeout=CLOSE_SECONDS)


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
