"""Where a scenario happens: services on real servers behind proxies, orders, and the verdict."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from spine_common.bootstrap.migrate import migrate
from spine_common.bootstrap.platform import Platform, open_platform
from spine_common.bootstrap.settings import Settings
from spine_common.core.errors import SpineError
from spine_common.core.execution import Execution
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.ports.queries import Window
from spine_common.testing.chaos.fleet import EVERYTHING, Fleet
from spine_common.testing.chaos.invariants import DOMAIN, Expected, all_is_at_rest, violations
from spine_common.testing.chaos.proxy import Proxy
from spine_common.testing.chaos.report import Report
from spine_common.testing.chaos.rules import Rule
from spine_common.testing.servers import PostgresServer, RabbitServer
from spine_common.testing.synthetic import NMS_TIER_1, Week, write

PIPELINE = "finra.otc_transparency.process_week"
FIRST_FRIDAY = date(2023, 1, 6)
QUICK = {
    "SPINE_LEASE_SECONDS": "2",
    "SPINE_HEARTBEAT_SECONDS": "0.4",
    "SPINE_SWEEP_SECONDS": "1",
    "SPINE_SWEEP_PATIENCE_SECONDS": "3",
    "SPINE_RETRY_BASE_SECONDS": "0.5",
    "SPINE_SHUTDOWN_GRACE_SECONDS": "5",
    "SPINE_RELAY_INTERVAL_SECONDS": "0.2",
}
MOST_MEGABYTES = 800
MOST_CONNECTIONS = 10
"""By process: a pool of five, as many more in need."""
Reference = Callable[[Sequence[Week]], Awaitable[Mapping[str, str]]]


def weeks(count: int, rows: int = 300) -> list[Week]:
    """Return that many weeks of one tier, all different."""
    return [
        Week(FIRST_FRIDAY + timedelta(weeks=number), NMS_TIER_1, rows=rows)
        for number in range(count)
    ]


async def order_week(platform: Platform, week: Week, folder: Path) -> Execution:
    """Publish a week and order all that is done with one."""
    path = write(week, folder)
    params = {
        "week_ending": week.week_ending.isoformat(),
        "tier": week.tier,
        "file_path": await platform.upload(path),
    }
    return await platform.dispatcher.submit(PIPELINE, params, trigger_source=TriggerSource.CLI)


@dataclass
class Arena:
    """One scenario under way. ``platform`` orders and asks, past the proxies, and runs nothing."""

    scenario: str
    seed: int
    platform: Platform
    fleet: Fleet
    database: Proxy
    broker: Proxy
    postgres: PostgresServer
    rabbit: RabbitServer
    reference: Reference
    folder: Path
    broker_url: str
    database_url: str
    patience: float = 90.0
    faults: int = 0
    """Faults the scenario injected by hand; armed ones are counted from the logs."""
    orders: list[ExecutionId] = field(default_factory=list)
    ordered: list[Week] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _healed: float | None = None

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - a schedule, no secret

    async def order(self, some: Sequence[Week]) -> list[Execution]:
        """Order weeks; the services' own relays send them."""
        executions = [await self._order(week) for week in some]
        self.ordered += some
        self.orders += [execution.execution_id for execution in executions]
        return executions

    async def _order(self, week: Week) -> Execution:
        return await order_week(self.platform, week, self.folder)

    def inject(self, count: int = 1) -> None:
        """Count faults, and begin to measure the recovery from the last of them."""
        self.faults += count
        self.healed()

    def healed(self) -> None:
        """Say that nothing stands in the way any more."""
        self._healed = time.monotonic()

    async def until(
        self,
        holds: Callable[[], Awaitable[bool]],
        what: str,
        patience: float | None = None,
    ) -> None:
        """Wait until something holds; errors of servers that are away count as not yet."""
        limit = self.patience if patience is None else patience
        until = time.monotonic() + limit
        while True:
            try:
                async with asyncio.timeout(10.0):
                    if await holds():
                        return
            except (SpineError, OSError, TimeoutError):
                pass
            if time.monotonic() > until:
                raise AssertionError(f"after {limit:g} s still not: {what}{await self._open()}")
            await asyncio.sleep(0.1)

    async def all_ended(self) -> bool:
        """Whether nothing is open and the outbox is empty."""
        async with self.platform.database.reading() as tx:
            rows, _ = await tx.outbox.depth()
            recent = await tx.ledger.recent(limit=100_000)
        return rows == 0 and not any(execution.is_open for execution in recent)

    async def finish(self, *, poison: int = 0, queues: bool = True) -> Report:
        """Wait until all has ended, check every invariant, and return the figures."""
        await self.until(self.all_ended, "everything has ended")
        ended = time.monotonic()
        expected = Expected(
            self.orders,
            {self._key(week) for week in self.ordered},
            await self.reference(self.ordered),
            poison,
            queues,
        )

        async def at_rest() -> bool:
            return not [*await all_is_at_rest(self.platform, expected), *await self._bounds()]

        # A duplicate may still be on its way to being acked, a connection to being closed. What
        # stays is told below, with the rest.
        with suppress(AssertionError):
            await self.until(at_rest, "all is at rest", patience=20)
        wrong = [*await violations(self.platform, expected), *await self._bounds()]
        if wrong:
            raise AssertionError("\n".join([f"seed {self.seed}", *wrong]))
        return await self._report(expected, ended)

    async def _bounds(self) -> list[str]:
        """I9: memory and connections are bounded."""
        wrong = []
        megabytes = self.fleet.megabytes()
        connections = await asyncio.to_thread(
            self.postgres.ask,
            self.database_url,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
        )
        if megabytes > MOST_MEGABYTES:
            wrong.append(f"I9: a service takes {megabytes} MB")
        if connections > MOST_CONNECTIONS * (len(self.fleet.replicas) + 1):
            wrong.append(f"I9: {connections} connections to the database")
        return wrong

    async def _report(self, expected: Expected, ended: float) -> Report:
        async with self.platform.database.reading() as tx:
            captures = (await tx.queries.captures(DOMAIN, window=Window(limit=None))).rows
            executions = await tx.ledger.recent(limit=100_000)
        captured = [row["partition_key"] for row in captures]
        return Report(
            scenario=self.scenario,
            seed=self.seed,
            faults=self.faults + self.fleet.faults(),
            partitions=len(captured),
            executions=len(executions),
            lost=len(set(expected.partitions) - set(captured)),
            duplicated=len(captured) - len(set(captured)),
            recovery=round(max(0.0, ended - (self._healed or ended)), 1),
            seconds=round(time.monotonic() - self._began, 1),
        )

    @staticmethod
    def _key(week: Week) -> str:
        return f"week_ending={week.week_ending.isoformat()}/tier={week.tier}"

    async def _open(self) -> str:
        try:
            async with self.platform.database.reading() as tx:
                recent = await tx.ledger.recent(limit=1000)
                rows, _ = await tx.outbox.depth()
        except SpineError as error:
            return f" ({error})"
        told = [f"{e.pipeline} {e.status} #{e.attempt} {e.error}" for e in recent if e.is_open]
        return f" (seed {self.seed}; outbox {rows}; open: {told[:10]})"


@asynccontextmanager
async def arena(  # noqa: PLR0913 - a scene has that many props
    scenario: str,
    folder: Path,
    postgres: PostgresServer,
    rabbit: RabbitServer,
    reference: Reference,
    *,
    seed: int = 1,
    names: Sequence[str] = EVERYTHING,
    rules: Mapping[str, Sequence[Rule]] | None = None,
    clocks: Mapping[str, float] | None = None,
    environment: Mapping[str, str] | None = None,
    furnish: Callable[[str], Awaitable[None]] | None = None,
) -> AsyncIterator[Arena]:
    """Set a scene: a fresh database and virtual host, a proxy before each server, the services.

    ``furnish`` is given the empty database before it is migrated.
    """
    database_url, broker_url = postgres.new_database(), rabbit.new_vhost()
    if furnish is not None:
        await furnish(database_url)
    await migrate(database_url)
    store = folder / "objects"
    settings = Settings(
        database_url=database_url, rabbitmq_url=broker_url, storage_local_path=store, http_port=0
    )
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(_proxy(database_url))
        broker = await stack.enter_async_context(_proxy(broker_url))
        platform = await stack.enter_async_context(open_platform(settings, "test"))
        await platform.bus.connect()
        await platform.bus.declare()
        fleet = Fleet(
            {
                **QUICK,
                "SPINE_DATABASE_URL": _through(database, database_url),
                "SPINE_RABBITMQ_URL": _through(broker, broker_url),
                "SPINE_STORAGE_LOCAL_PATH": str(store),
                **(environment or {}),
            },
            folder / "services",
            names,
            rules or {},
            clocks or {},
        )
        await stack.enter_async_context(fleet)
        yield Arena(
            scenario,
            seed,
            platform,
            fleet,
            database,
            broker,
            postgres,
            rabbit,
            reference,
            folder,
            broker_url,
            database_url,
        )


def _proxy(url: str) -> Proxy:
    parts = urlsplit(url)
    assert parts.hostname, url  # noqa: S101 - our own servers
    assert parts.port, url  # noqa: S101 - as above
    return Proxy(parts.hostname, parts.port)


def _through(proxy: Proxy, url: str) -> str:
    parts = urlsplit(url)
    host, port = proxy.address[:2]
    credentials = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{credentials}@{host}:{port}"))
