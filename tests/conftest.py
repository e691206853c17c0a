"""The platform in both of its lives, and the numbers one life must share with the other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spine_aggregator.app import SERVICE as AGGREGATOR
from spine_common.bootstrap.migrate import migrate
from spine_common.bootstrap.platform import Platform, open_platform
from spine_common.bootstrap.settings import Settings
from spine_common.bootstrap.worker import running
from spine_common.testing.cluster import Cluster
from spine_dlq.app import SERVICE as DLQ
from spine_ingestor.app import SERVICE as INGESTOR
from spine_normalizer.app import SERVICE as NORMALIZER

ALL_STAGES = [INGESTOR, NORMALIZER, AGGREGATOR, DLQ]


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Platform]:
    """Everything in one process: SQLite, the bus in process, a folder."""
    settings = Settings(data_dir=tmp_path / "embedded", rabbitmq_url=None, http_port=0)
    await migrate(settings.database_url)
    async with running(ALL_STAGES, settings) as platform:
        yield platform


@pytest.fixture
def environment(postgres_url: str, rabbit_url: str, tmp_path: Path) -> dict[str, str]:
    """What the services' processes are told: PostgreSQL, RabbitMQ, a shared folder."""
    return {
        "SPINE_DATABASE_URL": postgres_url,
        "SPINE_RABBITMQ_URL": rabbit_url,
        "SPINE_STORAGE_LOCAL_PATH": str(tmp_path / "objects"),
        # Short, so that a killed worker's execution is taken over within the test.
        "SPINE_LEASE_SECONDS": "3",
        "SPINE_HEARTBEAT_SECONDS": "0.5",
    }


@pytest.fixture
async def client(environment: dict[str, str]) -> AsyncIterator[Platform]:
    """A process that orders and asks, but runs no stage; the topology is declared."""
    settings = Settings(
        database_url=environment["SPINE_DATABASE_URL"],
        rabbitmq_url=environment["SPINE_RABBITMQ_URL"],
        storage_local_path=environment["SPINE_STORAGE_LOCAL_PATH"],
    )
    async with open_platform(settings, "test") as platform:
        await platform.bus.connect()
        await platform.bus.declare()
        yield platform


@pytest.fixture
async def cluster(
    client: Platform, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Cluster]:
    """The stage services and the dead-letter service, each a process, ready."""
    del client  # it declared the topology
    async with Cluster(environment, tmp_path / "logs") as running_cluster:
        yield running_cluster
