"""Which servers, databases and files a test gets, and when they go away.

Servers start when a first test asks and are shared by the whole run, xdist workers included.
Loading this module costs nothing but the standard library: what is heavy is imported by who asks.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from spine_common.testing.servers import (
    Household,
    PostgresServer,
    RabbitServer,
    find_postgres,
    find_rabbit,
)

_SERVER_FIXTURES = frozenset(
    {
        "postgres_server",
        "rabbit_server",
        "empty_postgres_url",
        "postgres_url",
        "rabbit_url",
        "own_household",
    }
)
_FINRA_VARIABLE = "SPINE_FINRA_FILES"
_household = pytest.StashKey[Household]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a server, also where a parameter names the fixture to take."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if call := getattr(item, "callspec", None):
            names |= {value for value in call.params.values() if isinstance(value, str)}
        if names & _SERVER_FIXTURES:
            item.add_marker("server")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the run's servers are."""
    node.workerinput["spine_household"] = str(_household_of(node.config).path)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run's servers; only their owner can."""
    household = config.stash.get(_household, None)
    if household is None or hasattr(config, "workerinput"):
        return
    given, template = household.answer("postgres"), household.answer("postgres-template")
    if given and template and given["control"] == "given":
        # A private server ends with everything in it; one that was given stays.
        PostgresServer.from_record(given).drop_database(template["url"])
    household.close()


def _household_of(config: pytest.Config) -> Household:
    if _household not in config.stash:
        worker_input: dict[str, str] | None = getattr(config, "workerinput", None)
        config.stash[_household] = (
            Household.opened()
            if worker_input is None
            else Household(Path(worker_input["spine_household"]))
        )
    return config.stash[_household]


@pytest.fixture(scope="session")
def household(pytestconfig: pytest.Config) -> Household:
    """Everything the run's processes share: servers, templates, failures."""
    return _household_of(pytestconfig)


@pytest.fixture
def own_household() -> Iterator[Household]:
    """Servers started in here belong to one test, which may break them."""
    with Household.opened() as own:
        yield own


@pytest.fixture(scope="session")
def postgres_server(household: Household) -> PostgresServer:
    """Return the run's PostgreSQL: fast, not durable; a test that kills one starts its own."""
    found = household.once("postgres", lambda: find_postgres(household, durable=False).record())
    return PostgresServer.from_record(found)


@pytest.fixture(scope="session")
def rabbit_server(household: Household) -> RabbitServer:
    """Return the run's RabbitMQ."""
    found = household.once("rabbit", lambda: find_rabbit(household).record())
    return RabbitServer.from_record(found)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Make a fresh database without a table: ``postgresql+asyncpg://…``."""
    url = postgres_server.new_database()
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def postgres_template(household: Household, postgres_server: PostgresServer) -> str:
    """Return the migrated database that ``postgres_url`` copies; nobody connects to it."""

    def migrated() -> dict[str, str]:
        url = postgres_server.new_database()
        _migrate(url)
        return {"url": url}

    url: str = household.once("postgres-template", migrated)["url"]
    return url


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """Make a fresh database with our migrations applied: ``postgresql+asyncpg://…``."""
    url = postgres_server.new_database(postgres_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="session")
def sqlite_template(household: Household) -> Path:
    """Return the migrated SQLite file that ``sqlite_url`` copies."""

    def migrated() -> dict[str, str]:
        path = household.path / "template.db"
        _migrate(f"sqlite+aiosqlite:///{path}")
        return {"path": str(path)}

    return Path(household.once("sqlite-template", migrated)["path"])


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Make a fresh SQLite file with our migrations applied: ``sqlite+aiosqlite:///…``."""
    path = tmp_path / "spine.db"
    with (
        closing(sqlite3.connect(sqlite_template)) as template,
        closing(sqlite3.connect(path)) as copy,
    ):
        template.backup(copy)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def rabbit_url(rabbit_server: RabbitServer) -> Iterator[str]:
    """Make a fresh virtual host: ``amqp://…``."""
    url = rabbit_server.new_vhost()
    yield url
    rabbit_server.delete_vhost(url)


@pytest.fixture(scope="session")
def finra_files(pytestconfig: pytest.Config) -> Path:
    """Return the folder with FINRA's real files, which are read in place and never copied."""
    given = os.environ.get(_FINRA_VARIABLE)
    folder = Path(given) if given else pytestconfig.rootpath.parent / "shared" / "finra"
    if not any(folder.glob("finra_otc_weekly_*.csv")):
        pytest.fail(
            f"No FINRA weekly files in {folder}. Download some from FINRA's OTC Transparency page "
            f"and set {_FINRA_VARIABLE} to their folder.",
            pytrace=False,
        )
    return folder


def _migrate(url: str) -> None:
    """Apply our migrations in a thread with a loop of its own, as a loop may run in this one."""
    from spine_common.bootstrap.migrate import migrate  # noqa: PLC0415 - heavy, and not always asked

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrate(url)).result()
