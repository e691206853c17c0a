"""Settings become a platform: three URLs choose the adapters, everything else is the same."""

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from spine_common.adapters.bus.inprocess import InProcessBus
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.adapters.sources.files import FileSources, upload
from spine_common.adapters.storage.local import LocalStore
from spine_common.bootstrap.migrate import declare_data_tables
from spine_common.bootstrap.settings import Settings
from spine_common.bootstrap.variables import InvalidSetting
from spine_common.contracts.routing import COMMANDS_EXCHANGE
from spine_common.core.errors import InvalidParams, PipelineNotFound
from spine_common.framework.context import StageContext
from spine_common.framework.dispatcher import Dispatcher
from spine_common.framework.lease import LeaseTerms
from spine_common.framework.ports.bus import Bus
from spine_common.framework.ports.database import Database
from spine_common.framework.ports.storage import Sources, Store
from spine_common.framework.registry import Registry, discover
from spine_common.framework.relay import Relay
from spine_common.framework.retry import RetryPolicy
from spine_common.framework.review import DeadLetterReview
from spine_common.observability.metrics import Metrics, new_metrics


@dataclass(frozen=True, slots=True)
class Platform:
    """Every part a process may need, composed."""

    settings: Settings
    registry: Registry
    database: Database
    bus: Bus
    store: Store
    sources: Sources
    relay: Relay
    dispatcher: Dispatcher
    metrics: Metrics
    policy: RetryPolicy
    owner: str

    @property
    def context(self) -> StageContext:
        """Return what stages may use."""
        return StageContext(self.registry, self.database, self.store, self.sources)

    @property
    def terms(self) -> LeaseTerms:
        """Return how long leases last here."""
        chosen = self.settings
        return LeaseTerms(
            chosen.lease_seconds, chosen.heartbeat_seconds, chosen.stage_deadline_seconds
        )

    @property
    def review(self) -> DeadLetterReview:
        """Return what settles dead letters on a person's word."""
        return DeadLetterReview(self.database, self.relay.nudge)

    async def upload(self, path: Path | str) -> str:
        """Put a file of the caller's into the object store; return its ``file_path``."""
        return await upload(self.store, path)


def build_platform(
    settings: Settings, service: str = "spine", *, commands_here: bool = False
) -> Platform:
    """Compose a platform; nothing connects yet.

    ``commands_here`` handles commands in this process even where a broker is configured. Events
    then stay in the outbox, for a relay that reaches the broker and so those who listen there.
    """
    declare_data_tables()
    registry = discover()
    database = open_database(settings, service)
    beside_broker = commands_here and settings.rabbitmq_url is not None
    bus = InProcessBus() if beside_broker else open_bus(settings)
    store = open_store(settings)
    interval = settings.relay_interval_seconds
    exchange = COMMANDS_EXCHANGE if beside_broker else None
    if isinstance(bus, InProcessBus):
        # A message is under way until it was handled. A process that was killed leaves its rows
        # to their lease: the next one waits that long.
        relay = Relay(
            database,
            bus,
            window=200,
            lease=6.0,
            interval=interval,
            exchange=exchange,
            per_road=8,
        )
    else:
        # A relay that was killed leaves its rows to this lease, too: others wait that long.
        relay = Relay(database, bus, interval=interval, lease=max(3.0, settings.lease_seconds / 6))
    return Platform(
        settings=settings,
        registry=registry,
        database=database,
        bus=bus,
        store=store,
        sources=FileSources(settings.file_roots, store),
        relay=relay,
        dispatcher=Dispatcher(registry, database, relay.nudge),
        metrics=new_metrics(),
        policy=_policy(settings, registry),
        owner=f"{service}@{socket.gethostname()}:{os.getpid()}",
    )


def _policy(settings: Settings, registry: Registry) -> RetryPolicy:
    """Return when failed attempts are tried again; ``InvalidSetting`` for a misspelt pipeline."""
    by_pipeline: dict[str, int] = {}
    for name, retries in settings.max_retries_by_pipeline.items():
        try:
            by_pipeline[registry.pipeline(name).name] = retries
        except PipelineNotFound as error:
            raise InvalidSetting(
                f"SPINE_MAX_RETRIES_BY_PIPELINE: {error.message}", remedy=error.remedy
            ) from error
    base = settings.retry_base_seconds
    return RetryPolicy(settings.max_retries, base=base, by_pipeline=by_pipeline)


def open_database(settings: Settings, service: str = "spine") -> Database:
    """Return the database the URL names."""
    # Who says nothing in a transaction for a whole lease is gone, and its locks are in the way.
    patience = min(max(5.0, settings.lease_seconds), 120.0)
    return SqlDatabase(settings.database_url, application=f"spine-{service}", patience=patience)


def open_bus(settings: Settings) -> Bus:
    """Return the broker's bus when there is a URL for one, else the one in process."""
    if settings.rabbitmq_url is None:
        return InProcessBus()
    # Its libraries are a third of the start-up, and the embedded mode has no use for them.
    from spine_common.adapters.bus.rabbit import RabbitBus  # noqa: PLC0415 - see above

    return RabbitBus(
        settings.rabbitmq_url,
        graceful_timeout=settings.shutdown_grace_seconds,
        management_url=settings.rabbitmq_management_url,
    )


def open_store(settings: Settings) -> Store:
    """Return the object store."""
    if settings.storage_type != "local":
        raise InvalidParams(
            f"STORAGE_TYPE={settings.storage_type} is not offered by this release.",
            remedy="Use STORAGE_TYPE=local and a folder all services share.",
        )
    return LocalStore(settings.storage_local_path)


@asynccontextmanager
async def open_platform(
    settings: Settings, service: str = "spine", *, commands_here: bool = False
) -> AsyncIterator[Platform]:
    """Compose a platform and close what it opened at the end."""
    platform = build_platform(settings, service, commands_here=commands_here)
    try:
        yield platform
    finally:
        await platform.bus.close(settings.shutdown_grace_seconds)
        await platform.database.close()
