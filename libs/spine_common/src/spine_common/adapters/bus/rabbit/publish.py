"""When a published message is safe: once the broker has confirmed that a queue holds it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from weakref import WeakValueDictionary

import aio_pika
import structlog
from aio_pika.abc import AbstractExchange, AbstractRobustChannel
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError

from spine_common.adapters.bus.rabbit.alarm import PublishingConnection
from spine_common.adapters.bus.rabbit.connection import (
    PROBE_SECONDS,
    answers,
    close_soon,
    connect,
    scratch_channel,
)
from spine_common.adapters.bus.rabbit.failures import REMEDY, broker_failures
from spine_common.contracts.message import Message
from spine_common.core.errors import BusUnavailable, QueueFull, Unroutable

DECLARE = "Run `spine bus declare`."
ANSWER_SECONDS = 10.0
SILENT_SECONDS = 10.0
"""How long nothing may have been heard before the connection is looked after."""
log = structlog.get_logger(__name__)


class Publisher:
    """Publishes on a connection of its own, since a broker in need blocks publishing connections.

    aio-pika directly, not FastStream: FastStream asks the broker for the exchange inside its
    ``publish``, without a time limit and on the channel all publishes share.
    """

    def __init__(self, url: str, time_limit: float) -> None:
        self._url = url
        self._time_limit = time_limit
        self._connection: PublishingConnection | None = None
        self._heard_at = 0.0
        self._channels: dict[str, AbstractRobustChannel] = {}
        self._opening = asyncio.Lock()
        self._ids: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def connection(self) -> PublishingConnection:
        """Return the open connection; ``BusUnavailable`` before ``connect`` or after ``close``."""
        if self._connection is None:
            raise BusUnavailable("The bus is not connected.", remedy=REMEDY)
        return self._connection

    async def connect(self) -> None:
        """Open the connection unless it is open."""
        if self._connection is None:
            self._connection = await connect(self._url, "publisher")
            self._heard_at = time.monotonic()

    async def close(self) -> None:
        """Close the connection; what is still being published fails."""
        connection, self._connection = self._connection, None
        self._channels.clear()
        if connection is not None:
            await connection.close()

    @contextlib.asynccontextmanager
    async def asking(self, doing: str) -> AsyncIterator[PublishingConnection]:
        """Give the connection for a question that has ``ANSWER_SECONDS``."""
        connection = self._unblocked()
        with broker_failures(doing):
            async with asyncio.timeout(ANSWER_SECONDS):
                yield connection

    async def revive(self) -> None:
        """Open a new connection in place of one that is of no use although the broker answers."""
        connection = self._connection
        if connection is None or connection.blocked_by is not None:
            return
        if time.monotonic() - self._heard_at < SILENT_SECONDS or await self._is_well(connection):
            return
        if await answers(self._url):
            log.warning("publisher_connects_anew")
            fresh = await connect(self._url, "publisher")
            async with self._opening:
                self._connection, self._heard_at = fresh, time.monotonic()
                self._channels.clear()
            await close_soon(connection)

    async def publish(self, message: Message) -> None:
        """Return when the broker has confirmed.

        Raises ``Unroutable``, ``QueueFull`` or ``BusUnavailable`` if it won't.

        A message that ran into the time limit may arrive all the same: publish it again with
        the same id.
        """
        self._unblocked()
        with broker_failures(f"publishing {message.message_id}"):
            try:
                async with asyncio.timeout(self._time_limit), self._alone(message):
                    exchange = await self._exchange(message.exchange)
                    await exchange.publish(_amqp(message), message.routing_key, mandatory=True)
                    self._heard_at = time.monotonic()
            except PublishError as error:
                raise Unroutable(
                    f"No queue takes {message.routing_key!r} from {message.exchange}.",
                    remedy=DECLARE,
                ) from error
            except DeliveryError as error:
                raise QueueFull(
                    f"A queue for {message.routing_key!r} takes no more messages.",
                    remedy="It is over its max-length: add workers, or raise the policy's limit.",
                ) from error
            except ChannelNotFoundEntity as error:
                raise Unroutable(
                    f"The broker has no exchange {message.exchange}.", remedy=DECLARE
                ) from error

    def _unblocked(self) -> PublishingConnection:
        # What is sent all the same arrives when the alarm is over, as often as it was sent.
        if reason := self.connection.blocked_by:
            raise BusUnavailable(
                f"The broker takes no messages: {reason}.",
                remedy="Give it room, or raise its limit; nothing is lost meanwhile.",
            )
        return self.connection

    async def _is_well(self, connection: PublishingConnection) -> bool:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                for channel in list(self._channels.values()):
                    await channel.ready()
                async with scratch_channel(connection):
                    self._heard_at = time.monotonic()
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not well
            return False
        return True

    def _alone(self, message: Message) -> asyncio.Lock:
        # The client tells returned messages apart by their id alone: of two with the same id in
        # flight, an unroutable one could be taken for confirmed.
        return self._ids.setdefault(message.message_id, asyncio.Lock())

    async def _exchange(self, name: str) -> AbstractExchange:
        """Give the exchange on a channel of its own: a missing one closes nobody else's.

        Never declared and never asked for, so nothing about it must be restored (and could
        fail to be) when the connection comes back.
        """
        async with self._opening:
            channel = self._channels.get(name)
            if channel is None:
                await self.connection.ready()
                opened = await self.connection.channel(
                    publisher_confirms=True, on_return_raises=True
                )
                channel = self._channels[name] = opened
        await channel.ready()
        return await channel.get_exchange(name, ensure=False)


def _amqp(message: Message) -> aio_pika.Message:
    return aio_pika.Message(
        message.body,
        message_id=message.message_id,
        type=message.type,
        headers=dict(message.headers),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
