"""The scene of every scenario: servers that may be broken, and the numbers nobody disturbed."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from spine_aggregator.app import SERVICE as AGGREGATOR
from spine_common.bootstrap.migrate import migrate
from spine_common.bootstrap.settings import Settings
from spine_common.bootstrap.worker import running
from spine_common.testing.chaos import report
from spine_common.testing.chaos.arena import Arena, arena, order_week
from spine_common.testing.servers import (
    Household,
    PostgresServer,
    RabbitServer,
    private_postgres,
    private_rabbit,
)
from spine_common.testing.soundness import digests, ended
from spine_common.testing.synthetic import Week
from spine_dlq.app import SERVICE as DLQ
from spine_ingestor.app import SERVICE as INGESTOR
from spine_normalizer.app import SERVICE as NORMALIZER

Scene = Callable[..., AbstractAsyncContextManager[Arena]]
_known: dict[str, Mapping[str, str]] = {}


async def undisturbed(weeks: Sequence[Week]) -> Mapping[str, str]:
    """Return the tables' hashes of these weeks in one process in which nothing goes wrong."""
    key = repr(weeks)
    if key not in _known:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(data_dir=Path(folder), rabbitmq_url=None, http_port=0)
            await migrate(settings.database_url)
            async with running([INGESTOR, NORMALIZER, AGGREGATOR, DLQ], settings) as platform:
                orders = [await order_week(platform, week, Path(folder)) for week in weeks]
                await ended(platform, [order.execution_id for order in orders], patience=120)
                _known[key] = await digests(platform)
    return _known[key]


@pytest.fixture(scope="session")
def breakable(pytestconfig: pytest.Config) -> Iterator[tuple[PostgresServer, RabbitServer]]:
    """Servers for the scenarios that kill them; durable, as what they killed must be there."""
    del pytestconfig
    with Household.opened() as household:
        yield private_postgres(household), private_rabbit(household)


def _seed() -> int:
    return int(os.environ.get("SPINE_CHAOS_SEED", "1"))


@pytest.fixture
def scene(
    request: pytest.FixtureRequest,
    postgres_server: PostgresServer,
    rabbit_server: RabbitServer,
    tmp_path: Path,
) -> Scene:
    """Set a scene on the run's servers, for scenarios that leave them alive."""
    return _scene(request, postgres_server, rabbit_server, tmp_path)


@pytest.fixture
def breakable_scene(
    request: pytest.FixtureRequest,
    breakable: tuple[PostgresServer, RabbitServer],
    tmp_path: Path,
) -> Scene:
    """Set a scene on servers that may be killed."""
    return _scene(request, *breakable, tmp_path)


@pytest.fixture
def scene_on(
    request: pytest.FixtureRequest, rabbit_server: RabbitServer, tmp_path: Path
) -> Callable[[PostgresServer], Scene]:
    """Set a scene on a database server of the scenario's own."""
    return lambda postgres: _scene(request, postgres, rabbit_server, tmp_path)


def _scene(
    request: pytest.FixtureRequest, postgres: PostgresServer, rabbit: RabbitServer, folder: Path
) -> Scene:
    @asynccontextmanager
    async def opened(**changes: Any) -> AsyncIterator[Arena]:
        name = request.node.name.removeprefix("test_").replace("_", " ")
        async with arena(
            name, folder, postgres, rabbit, undisturbed, seed=_seed(), **changes
        ) as scene:
            yield scene

    return opened


@pytest.fixture
def told(pytestconfig: pytest.Config) -> Callable[[report.Report], None]:
    """Write a scenario's figures down."""
    default = pytestconfig.rootpath / ".chaos" / "report.jsonl"
    return lambda figures: report.append(figures, default)
