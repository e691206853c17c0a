"""A process in small: database, bus, relay, runner and desk, as the composition root joins them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import structlog

from spine_common.adapters.bus.inprocess import InProcessBus
from spine_common.adapters.database.datatables import data_table
from spine_common.adapters.database.migrate import upgrade
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.adapters.sources.files import FileSources
from spine_common.adapters.storage.local import LocalStore
from spine_common.contracts.commands import command_of
from spine_common.contracts.routing import DEAD_LETTER_QUEUE, work_queue
from spine_common.core.execution import Event, Execution
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import WORK_STAGES, Lane, Stage
from spine_common.framework.context import StageContext
from spine_common.framework.deadletters import DeadLetterDesk
from spine_common.framework.dispatcher import Dispatcher
from spine_common.framework.lease import LeaseTerms, claim
from spine_common.framework.ports.bus import Bus
from spine_common.framework.ports.database import Database
from spine_common.framework.relay import Relay
from spine_common.framework.retry import RetryPolicy
from spine_common.framework.runner import Handled, StageRunner
from spine_common.framework.stage import StageFunction
from spine_common.framework.turns import Turns

from .builders import REGISTRY, SHOP, done

DEADLINE = 20.0
EXPIRED = -1.0
"""Seconds of a lease that is over when it begins: its worker might as well be dead."""
QUICK = RetryPolicy(max_retries=2, base=0.05, cap=0.2)
TERMS = LeaseTerms(seconds=30.0, heartbeat=5.0, deadline=15.0)
Stages = Mapping[Stage, StageFunction]


@dataclass
class Process:
    """One process's parts. Nothing runs by itself until ``start``."""

    database: Database
    bus: Bus
    folder: Path
    policy: RetryPolicy = QUICK
    terms: LeaseTerms = TERMS
    handled: list[Handled] = field(default_factory=list)

    def __post_init__(self) -> None:
        store = LocalStore(self.folder / "store")
        sources = FileSources([self.folder], store)
        self.context = StageContext(REGISTRY, self.database, store, sources)
        self.relay = Relay(self.database, self.bus, interval=0.05)
        self.dispatcher = Dispatcher(REGISTRY, self.database, self.relay.nudge)
        self.desk = DeadLetterDesk(REGISTRY, self.database, self.policy, self.relay.nudge)
        self._relaying: asyncio.Task[None] | None = None

    def runner(
        self, stage: StageFunction | Stages = done, *, owner: str = "worker", **terms: float
    ) -> StageRunner:
        """Return another worker, of one function for every stage or of a function for each."""
        stages = stage if isinstance(stage, Mapping) else dict.fromkeys(WORK_STAGES, stage)
        return StageRunner(
            self.context,
            stages,
            owner=owner,
            terms=replace(self.terms, **terms),
            turns=Turns(),
            nudge=self.relay.nudge,
            observe=self.handled.append,
        )

    async def start(self, stage: StageFunction | Stages = done, **terms: float) -> None:
        """Consume every queue, dead letters included, and relay."""
        runner = self.runner(stage, **terms)
        for name in WORK_STAGES:
            for lane in Lane:
                await self.bus.consume(work_queue(name, lane), runner.handle, prefetch=4)
        await self.bus.consume(DEAD_LETTER_QUEUE, self.desk.handle, prefetch=4)
        self.relaying()

    def relaying(self) -> None:
        self._relaying = asyncio.create_task(self.relay.run())

    async def stop(self) -> None:
        if self._relaying is not None:
            await self.relay.stop(grace=5.0)
            await self._relaying
            self._relaying = None

    async def lose_a_worker(self, execution: Execution, owner: str = "dead") -> Execution:
        """Claim as a worker does that is killed next: its lease is over, and nobody let go."""
        async with self.database.transaction() as tx:
            terms = LeaseTerms(seconds=EXPIRED)
            claimed = await claim(tx, command_of(execution), owner, terms, alone=True)
        assert isinstance(claimed, Execution)
        return claimed

    async def get(self, execution: Execution | ExecutionId) -> Execution:
        async with self.database.reading() as tx:
            found = await tx.ledger.get(getattr(execution, "execution_id", execution))
        assert found is not None
        return found

    async def events(self, execution: Execution) -> list[Event]:
        async with self.database.reading() as tx:
            return await tx.ledger.events(execution.execution_id)

    async def children(self, execution: Execution) -> list[Execution]:
        async with self.database.reading() as tx:
            return await tx.ledger.children(execution.execution_id)

    async def ended(self, execution: Execution) -> Execution:
        """Wait until the execution has ended and the outbox is empty."""

        async def has_ended() -> bool:
            async with self.database.reading() as tx:
                waiting, _ = await tx.outbox.depth()
            return waiting == 0 and not (await self.get(execution)).is_open

        await until(has_ended)
        return await self.get(execution)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until ``holds``, and no longer than the deadline."""
    async with asyncio.timeout(DEADLINE):
        while not await holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    """Log without drawing tracebacks: that takes longer than what is tested."""
    before = structlog.get_config()
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    yield
    structlog.configure(**before)


@pytest.fixture
async def bus() -> AsyncIterator[InProcessBus]:
    bus = InProcessBus()
    await bus.connect()
    yield bus
    await bus.close(grace=2)


@pytest.fixture
async def process(
    database: SqlDatabase, bus: InProcessBus, tmp_path: Path
) -> AsyncIterator[Process]:
    """The process under test; when it stops, every row of its outbox is free again."""
    process = Process(database, bus, tmp_path)
    yield process
    await bus.close(grace=2)
    await process.stop()


@pytest.fixture
async def shop(process: Process, database_url: str) -> Process:
    """The same with the tables of the shop's datasets."""
    for dataset in SHOP.datasets:
        data_table(dataset)
    await upgrade(database_url)
    return process
