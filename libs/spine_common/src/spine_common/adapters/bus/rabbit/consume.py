"""Who is fed from which queue, how many deliveries at a time, and whether that still holds."""

import asyncio
import time
from dataclasses import dataclass

import structlog
from aio_pika.abc import AbstractRobustConnection
from faststream.rabbit.subscriber import RabbitSubscriber

from spine_common.adapters.bus.rabbit import declare
from spine_common.adapters.bus.rabbit.connection import answers, close_soon
from spine_common.adapters.bus.rabbit.failures import broker_failures
from spine_common.adapters.bus.rabbit.feed import dismiss, feed, is_fed, new_broker, stop_feeding
from spine_common.core.errors import Unroutable
from spine_common.framework.ports.bus import Handler

ANSWER_SECONDS = 10.0
CLOSE_SECONDS = 2.0
STARVED_SECONDS = 3.0
"""How long the libraries get to bring a consumer back by themselves."""
CUT_OFF_SECONDS = 8.0
"""How long they get to bring a connection back."""
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
        self._url = url
        self._graceful_timeout = graceful_timeout
        self._fed: list[_Consumer] = []
        self._starting = asyncio.Lock()
        self._connection: AbstractRobustConnection | None = None
        self._broker = new_broker(url, graceful_timeout)
        self._nobody_fed_since: float | None = None

    async def consume(self, queue: str, handler: Handler, prefetch: int) -> None:
        """Start one consumer; ``Unroutable`` when its queue was never declared."""
        async with self._starting:
            consumer = _Consumer(queue, handler, prefetch)
            await self._start(consumer)
            self._fed.append(consumer)

    async def revive(self) -> int:
        """Start those again that have not been fed for a while although the broker answers.

        The libraries try for good, but not in every case: a channel that could not be brought
        back stays away, and one missing queue keeps a lost connection from all the others.
        """
        async with self._starting:
            if self._is_cut_off() and await answers(self._url):
                await self._renew()
            missing = [
                error
                for consumer in self._fed
                if self._is_starved(consumer)
                if (error := await self._start_again(consumer)) is not None
            ]
        if missing:
            raise missing[0]
        return self.live()

    def live(self) -> int:
        """Count the consumers whose channel is open and whose tag the broker has not cancelled."""
        return sum(is_fed(consumer.subscriber) for consumer in self._fed)

    async def close(self, grace: float) -> None:
        """Stop taking deliveries, give handlers ``grace`` seconds, close the connection."""
        async with self._starting:
            # FastStream would go on receiving, and dropping, while it waits for handlers.
            subscribers = [one.subscriber for one in self._fed if one.subscriber is not None]
            await asyncio.gather(*(stop_feeding(subscriber) for subscriber in subscribers))
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

    async def _start(self, consumer: _Consumer) -> None:
        with broker_failures(f"starting to consume {consumer.queue}"):
            # Not within the time limit: it has its own, and cut off it would try for ever.
            self._connection = await self._broker.connect()
            async with asyncio.timeout(ANSWER_SECONDS):
                # A queue that is not there is better found out on a channel of no consequence.
                await declare.waiting(self._connection, consumer.queue)
                consumer.subscriber = await feed(
                    self._broker, consumer.queue, consumer.handler, consumer.prefetch
                )
        consumer.starved_since = None

    async def _start_again(self, consumer: _Consumer) -> Unroutable | None:
        if consumer.subscriber is not None:
            await dismiss(consumer.subscriber)
            consumer.subscriber = None
        try:
            await self._start(consumer)
        except Unroutable as error:
            return error  # The others can be fed.
        log.warning("consumer_revived", queue=consumer.queue)
        return None

    def _is_starved(self, consumer: _Consumer) -> bool:
        if is_fed(consumer.subscriber) or not self._is_connected():
            consumer.starved_since = None
            return False
        if consumer.starved_since is None:
            consumer.starved_since = time.monotonic()
        return time.monotonic() - consumer.starved_since > STARVED_SECONDS

    def _is_connected(self) -> bool:
        return self._connection is not None and self._connection.connected.is_set()

    def _is_cut_off(self) -> bool:
        if not self._fed or self.live():
            self._nobody_fed_since = None
            return False
        if self._nobody_fed_since is None:
            self._nobody_fed_since = time.monotonic()
        cut_off_for = time.monotonic() - self._nobody_fed_since
        return not self._is_connected() and cut_off_for > CUT_OFF_SECONDS

    async def _renew(self) -> None:
        """Give the connection up for a new one; what was delivered on it comes again."""
        log.warning("consumers_connect_anew")
        if self._connection is not None:
            await close_soon(self._connection)
        self._broker = new_broker(self._url, self._graceful_timeout)
        with broker_failures("connecting"):
            self._connection = await self._broker.connect()
        for consumer in self._fed:
            consumer.subscriber, consumer.starved_since = None, 0.0
