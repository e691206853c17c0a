"""The bus inside one process: the same bytes, roads and promises, without a broker."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from spine_common.adapters.bus.topology import SPINE, Queue
from spine_common.adapters.bus.verdict import verdict_of
from spine_common.contracts.message import Message
from spine_common.contracts.routing import DEAD_LETTER_QUEUE
from spine_common.core.clock import utc_now
from spine_common.core.errors import BusUnavailable, Unroutable
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.ports.bus import Delivery, Handler, Verdict


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message in one queue; ``settled`` is what its sender waits for, if it waits."""

    body: bytes
    headers: Mapping[str, Any]
    exchange: str
    routing_key: str
    message_id: str
    settled: asyncio.Future[None] | None = None

    @property
    def is_withdrawn(self) -> bool:
        return self.settled is not None and self.settled.done()


class InProcessBus:
    """Carries messages between the services of one process.

    It keeps nothing, the outbox is the persistence: ``publish`` returns when the message was
    acked, or rejected and its dead letter handled (or kept, while nobody consumes those). What
    ``close`` leaves unhandled raises ``BusUnavailable`` at its publisher, and so does a message
    whose publisher gave up: it is withdrawn.
    """

    def __init__(self) -> None:
        self._open = False
        self._waiting: dict[str, asyncio.Queue[_Letter]] = {}
        self._consumers: list[tuple[Queue, _Consumer]] = []
        self._unsettled: set[asyncio.Future[None]] = set()

    async def connect(self) -> None:
        """Begin to take messages."""
        self._open = True

    async def declare(self) -> None:
        """Do nothing: the topology is built in."""

    async def restore(self) -> None:
        """Do nothing: what is built in can't be missing."""

    async def check(self) -> None:
        """Raise ``BusUnavailable`` unless connected."""
        if not self._open:
            raise BusUnavailable("The bus is not connected.")

    def live_consumers(self) -> int:
        """Return how many consumers are being fed."""
        return sum(consumer.is_fed for _, consumer in self._consumers)

    async def waiting(self, queue: str) -> int:
        """Return how many letters wait in a queue."""
        await self.check()
        if SPINE.queue(queue) is None:
            raise Unroutable(f"There is no queue {queue}.")
        return self._source(queue).qsize()

    async def revive(self) -> int:
        """Do nothing: no broker comes between a queue and its consumers here."""
        return self.live_consumers()

    async def publish(self, message: Message) -> None:
        """Return once the message was handled in every queue it reaches."""
        await self.check()
        queues = SPINE.route(message.exchange, message.routing_key)
        if not queues:
            raise Unroutable(f"No queue takes {message.routing_key!r} from {message.exchange}.")
        letter = _Letter(
            message.body,
            dict(message.headers),
            message.exchange,
            message.routing_key,
            message.message_id,
        )
        await self._deliver(letter, queues, awaited=lambda queue: queue.newest is None)

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> None:
        """Start feeding ``handler`` from ``queue``, at most ``prefetch`` deliveries at a time."""
        await self.check()
        known = SPINE.queue(queue)
        if known is None:
            raise Unroutable(f"There is no queue {queue}.")

        async def handle(letter: _Letter) -> None:
            await self._handle(known, handler, letter)

        self._consumers.append((known, _Consumer(self._source(queue), handle, prefetch)))

    async def close(self, grace: float = 10.0) -> None:
        """Stop taking deliveries, wait up to ``grace`` seconds for handlers, let go of the rest."""
        self._open = False
        try:
            async with asyncio.timeout(grace):
                # Until the last handler has ended it may reject, and somebody must take that.
                await self._stop(lambda queue: queue.name != DEAD_LETTER_QUEUE)
                await self._stop(lambda _: True)
        except TimeoutError:
            pass
        for _, consumer in self._consumers:
            await consumer.abort()
        for settled in list(self._unsettled):
            settled.set_exception(BusUnavailable("The bus closed before the message was handled."))
        self._consumers.clear()
        self._waiting.clear()

    async def _stop(self, chosen: Callable[[Queue], bool]) -> None:
        stopping = [consumer.stop() for queue, consumer in self._consumers if chosen(queue)]
        await asyncio.gather(*stopping)

    async def _deliver(
        self, letter: _Letter, queues: tuple[Queue, ...], awaited: Callable[[Queue], bool]
    ) -> None:
        settled = [self._put(letter, queue, awaited=awaited(queue)) for queue in queues]
        await asyncio.gather(*(future for future in settled if future is not None))

    def _put(self, letter: _Letter, queue: Queue, *, awaited: bool) -> asyncio.Future[None] | None:
        settled: asyncio.Future[None] | None = None
        if awaited:
            settled = asyncio.get_running_loop().create_future()
            self._unsettled.add(settled)
            settled.add_done_callback(self._unsettled.discard)
        source = self._source(queue.name)
        if queue.newest is not None and source.qsize() >= queue.newest:
            source.get_nowait()
        source.put_nowait(replace(letter, settled=settled))
        return settled

    def _source(self, queue: str) -> asyncio.Queue[_Letter]:
        return self._waiting.setdefault(queue, asyncio.Queue())

    async def _handle(self, queue: Queue, handler: Handler, letter: _Letter) -> None:
        delivery = Delivery(
            body=letter.body,
            headers=letter.headers,
            queue=queue.name,
            message_id=letter.message_id,
            redelivered=False,
        )
        verdict = await verdict_of(handler, delivery)
        await reached(Failpoint.ACK_BEFORE)
        if verdict is Verdict.REJECT:
            await self._bury(queue, letter)
        if letter.settled is not None and not letter.settled.done():
            letter.settled.set_result(None)

    async def _bury(self, queue: Queue, letter: _Letter) -> None:
        if queue.dead_letters is None:
            return
        exchange = queue.dead_letters.exchange
        routing_key = queue.dead_letters.routing_key or letter.routing_key
        dead = replace(
            letter,
            headers=_with_death(letter, queue),
            exchange=exchange,
            routing_key=routing_key,
        )
        consumed = {known.name for known, _ in self._consumers}
        await self._deliver(
            dead, SPINE.route(exchange, routing_key), awaited=lambda grave: grave.name in consumed
        )


def _with_death(letter: _Letter, queue: Queue) -> dict[str, Any]:
    """Return the headers RabbitMQ would give the dead letter."""
    death = {
        "count": 1,
        "reason": "rejected",
        "queue": queue.name,
        "time": utc_now().replace(microsecond=0),
        "exchange": letter.exchange,
        "routing-keys": [letter.routing_key],
    }
    first = {
        "x-first-death-exchange": letter.exchange,
        "x-first-death-queue": queue.name,
        "x-first-death-reason": "rejected",
    }
    earlier = letter.headers.get("x-death", [])
    return {**first, **letter.headers, "x-death": [death, *earlier]}


class _Consumer:
    """``prefetch`` feeders that each carry one letter at a time from a queue to a handler."""

    def __init__(
        self,
        source: asyncio.Queue[_Letter],
        handle: Callable[[_Letter], Awaitable[None]],
        prefetch: int,
    ) -> None:
        self._source = source
        self._handle = handle
        self._stopping = False
        self._busy: set[asyncio.Task[Any] | None] = set()
        self._feeders = {asyncio.create_task(self._feed()) for _ in range(prefetch)}

    @property
    def is_fed(self) -> bool:
        return not self._stopping and not all(feeder.done() for feeder in self._feeders)

    async def _feed(self) -> None:
        this = asyncio.current_task()
        while not self._stopping:
            letter = await self._source.get()
            if letter.is_withdrawn:
                continue
            self._busy.add(this)
            try:
                await self._handle(letter)
            finally:
                self._busy.discard(this)

    async def stop(self) -> None:
        """Take no more letters and wait until those at hand are handled."""
        self._stopping = True
        for feeder in self._feeders - self._busy:
            feeder.cancel()
        await asyncio.wait(self._feeders)

    async def abort(self) -> None:
        """Give up on the letters at hand."""
        for feeder in self._feeders:
            feeder.cancel()
        await asyncio.gather(*self._feeders, return_exceptions=True)
