"""The one way out: the relay takes due messages from the outbox and hands them to the bus."""

import asyncio
import contextlib
import time
from collections import Counter

import structlog

from spine_common.core.errors import QueueFull, SpineError, Unavailable, Unroutable
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.ports.bus import Bus
from spine_common.framework.ports.database import Database
from spine_common.framework.ports.ledger import OutboxRow
from spine_common.framework.roads import Roads

log = structlog.get_logger(__name__)


class Relay:
    """A task in every process. Several relays share the outbox by short leases on its rows.

    ``window`` messages are under way at most; ``lease`` seconds is how long a dead relay's rows
    stay with it; ``interval`` is how often it looks without being nudged. With ``exchange`` it
    takes messages for that one only. With ``per_road`` about that many messages of one routing
    key are under way: where sending takes as long as handling, a lane must not hold up another.
    """

    def __init__(  # noqa: PLR0913 - a relay is tuned by each of these
        self,
        database: Database,
        bus: Bus,
        *,
        window: int = 50,
        lease: float = 30.0,
        interval: float = 0.5,
        exchange: str | None = None,
        per_road: int | None = None,
    ) -> None:
        self._database = database
        self._bus = bus
        self._window = window
        self._lease = lease
        self._interval = interval
        self._exchange = exchange
        self._per_road = per_road
        self._wake = asyncio.Event()
        self._under_way: dict[asyncio.Task[None], OutboxRow] = {}
        self._sent: list[OutboxRow] = []
        self._failures = 0  # publishes that failed in a row
        self._outages = 0  # turns that failed in a row
        self._extended_at = 0.0
        self._stopped = False
        self._turning = asyncio.Lock()
        self._roads = Roads(first=interval, longest=lease / 3)

    def nudge(self) -> None:
        """Say that something may be due: look now instead of at the next interval."""
        # A nudge must not turn an outage into a hot loop: only the pause, a success or a stop
        # ends it.
        if not (self._failures or self._outages):
            self._wake.set()

    async def run(self) -> None:
        """Relay until ``stop``."""
        while not self._stopped:
            self._wake.clear()
            claimed = 0
            try:
                async with self._turning:
                    claimed = await self._turn()
            except Exception as error:
                self._outages += 1
                log.warning(
                    "relay_waits",
                    error=str(error),
                    outages=self._outages,
                    exc_info=not isinstance(error, Unavailable),
                )
            else:
                self._outages = 0
            if self._failures or claimed == 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._pause())

    async def stop(self, grace: float = 10.0) -> None:
        """Claim nothing more, wait for what is under way, give the rest back."""
        self._stopped = True
        self._wake.set()
        # A turn that has begun may still claim rows, which must not be left to their lease.
        async with self._turning:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=grace)
            unsent = [row for task, row in self._under_way.items() if not task.done()]
            for task in list(self._under_way):
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
            with contextlib.suppress(Unavailable):
                await self._mark()
                if unsent:
                    async with self._database.transaction() as tx:
                        await tx.outbox.release(unsent, delay=0.0)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way and nothing waits to be marked."""
        return not self._under_way and not self._sent

    async def _turn(self) -> int:
        """Mark what was sent, then claim and publish what is due; return how many were claimed."""
        if self._stopped:
            return 0
        await self._mark()
        await self._extend()
        free = self._window - len(self._under_way)
        if free <= 0:
            return 0
        async with self._database.transaction() as tx:
            rows = await tx.outbox.claim(
                limit=min(free, self._per_road or free),
                lease=self._lease,
                exchange=self._exchange,
                but_not=[*self._full_roads(), *self._roads.blocked()],
            )
        for row in rows:
            task = asyncio.create_task(self._send(row), name=f"relay-{row.outbox_id}")
            self._under_way[task] = row
            task.add_done_callback(self._under_way.pop)
        return len(rows)

    def _full_roads(self) -> list[str]:
        if self._per_road is None:
            return []
        roads = Counter(row.message.routing_key for row in self._under_way.values())
        return [road for road, under_way in roads.items() if under_way >= self._per_road]

    async def _send(self, row: OutboxRow) -> None:
        road = row.message.routing_key
        try:
            await self._bus.publish(row.message)
            await reached(Failpoint.RELAY_PUBLISHED)
        except (QueueFull, Unroutable) as error:
            # The broker is well: only what goes the same way has to wait.
            await self._give_back(row, self._roads.refuse(road, str(error)))
        except Exception as error:
            self._failures += 1
            log.warning(
                "publish_failed",
                message_id=row.message.message_id,
                error=str(error),
                exc_info=not isinstance(error, SpineError),
            )
            await self._give_back(row, self._pause())
        else:
            self._failures = 0
            self._roads.accept(road)
            self._sent.append(row)
        self.nudge()

    async def _give_back(self, row: OutboxRow, delay: float) -> None:
        # What can't be given back is free again when its lease is over.
        with contextlib.suppress(SpineError):
            async with self._database.transaction() as tx:
                await tx.outbox.release([row], delay=delay)

    async def _mark(self) -> None:
        """Remove sent rows and say ``queued`` in one transaction, for many at once."""
        if not self._sent:
            return
        sent = self._sent[:]
        async with self._database.transaction() as tx:
            # The executions first, as who withdraws a command locks them: no deadlock.
            await tx.ledger.record_queued(sent)
            await tx.outbox.mark_sent(sent)
        del self._sent[: len(sent)]

    async def _extend(self) -> None:
        """Keep rows whose publishing takes long: in process that is until they are handled."""
        if self._under_way and time.monotonic() - self._extended_at > self._lease / 3:
            async with self._database.transaction() as tx:
                await tx.outbox.extend(list(self._under_way.values()), self._lease)
            self._extended_at = time.monotonic()

    def _pause(self) -> float:
        """Return how long to wait: never so long that rows under way would lose their lease."""
        failed = max(self._failures, self._outages)
        return min(self._lease / 3, self._interval * 2.0 ** min(failed, 6))
