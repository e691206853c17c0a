"""Whether a database that is away, locked or unmigrated says so in our words, and comes back."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url, text

from spine_common.adapters.database.migrate import upgrade
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.errors import DatabaseUnavailable, SpineError
from spine_common.testing.servers import Household, PostgresServer, private_postgres
from spine_common.testing.servers.ports import free_ports

from .builders import order, submitted


@pytest.fixture
async def opened() -> AsyncIterator[Callable[..., SqlDatabase]]:
    databases: list[SqlDatabase] = []

    def open_(url: str, **options: Any) -> SqlDatabase:
        databases.append(SqlDatabase(url, **options))
        return databases[-1]

    yield open_
    for database in databases:
        await database.close()
    # A connection that could not be opened ends its thread by itself, and that needs the loop.
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, 5)


Open = Callable[..., SqlDatabase]


def impatient(database: SqlDatabase) -> None:
    """Let connections made from now on wait for SQLite's lock no longer than a blink."""

    @event.listens_for(database._engine.sync_engine, "connect")
    def _(connection: sqlite3.Connection, _record: object) -> None:
        connection.cursor().execute("PRAGMA busy_timeout=50")


async def test_a_healthy_database_passes_its_check(database: SqlDatabase):
    await database.check()


async def test_a_server_that_does_not_listen_is_away(opened: Open):
    (port,) = free_ports(1)
    database = opened(f"postgresql+asyncpg://nobody@127.0.0.1:{port}/nothing")

    for use in (database.transaction, database.reading):
        with pytest.raises(DatabaseUnavailable):
            async with use():
                pass
    with pytest.raises(DatabaseUnavailable):
        await database.check()


async def test_a_server_without_the_database_is_away(empty_postgres_url: str, opened: Open):
    missing = make_url(empty_postgres_url).set(database="spine_not_created_yet")

    with pytest.raises(DatabaseUnavailable):
        await opened(missing.render_as_string(hide_password=False)).check()


@pytest.mark.parametrize("place", ["folder", "file/spine.db", "file/deeper/spine.db"])
async def test_a_file_that_cannot_be_opened_is_away(tmp_path: Path, opened: Open, place: str):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(DatabaseUnavailable):
        await opened(f"sqlite+aiosqlite:///{tmp_path / place}").check()


async def test_a_file_that_takes_no_writes_is_away(sqlite_url: str, opened: Open):
    database = opened(sqlite_url)

    @event.listens_for(database._engine.sync_engine, "connect")
    def _(connection: sqlite3.Connection, _record: object) -> None:
        connection.cursor().execute("PRAGMA query_only=ON")

    await database.check()
    with pytest.raises(DatabaseUnavailable):
        await submitted(database)


async def test_a_locked_file_is_away_until_the_lock_is_gone(sqlite_url: str, opened: Open):
    database = opened(sqlite_url)
    impatient(database)
    with closing(sqlite3.connect(make_url(sqlite_url).database or "")) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(DatabaseUnavailable):
            await submitted(database)
        await database.check()  # who only reads does not wait
        other.rollback()

    await submitted(database)


async def test_who_says_nothing_in_a_transaction_loses_it_and_its_locks(
    postgres_url: str, opened: Open
):
    stopped, other = opened(postgres_url, patience=0.5), opened(postgres_url)
    execution = await submitted(other)

    async def stop_in_the_middle() -> None:
        async with stopped.transaction() as tx:
            await tx.ledger.lock(execution.execution_id)
            async with other.transaction() as second:  # waits until the server has had enough
                assert await second.ledger.lock(execution.execution_id) is not None
            await tx.ledger.get(execution.execution_id)

    with pytest.raises(DatabaseUnavailable):
        await stop_in_the_middle()
    await stopped.check()


async def test_a_client_that_is_cut_off_is_noticed_within_a_minute(postgres_url: str, opened: Open):
    # In the middle of a COPY no timeout of the server's applies: only the network can tell.
    database = opened(postgres_url)

    async with database._engine.connect() as connection:
        idle, interval, count = [
            int(await connection.scalar(text(f"SELECT current_setting('tcp_keepalives_{part}')")))
            for part in ("idle", "interval", "count")
        ]

    assert 0 < idle + interval * count <= 60


async def test_who_leads_may_say_nothing_for_longer(postgres_url: str, opened: Open):
    database = opened(postgres_url, patience=1.0)

    async with database.leading("sweeper") as leads:
        assert leads
        await asyncio.sleep(2.0)


@pytest.mark.parametrize("url", ["new_sqlite_url", "empty_postgres_url"])
async def test_an_unmigrated_database_names_the_remedy(
    request: pytest.FixtureRequest, opened: Open, url: str
):
    database = opened(request.getfixturevalue(url))

    with pytest.raises(SpineError, match="spine db migrate") as checked:
        await database.check()
    with pytest.raises(SpineError, match="spine db migrate") as used:
        async with database.transaction() as tx:
            await tx.ledger.submit(order())

    assert checked.value.code == used.value.code == "SCHEMA_MISSING"


async def test_a_text_about_a_missing_table_is_no_missing_schema(database: SqlDatabase):
    with pytest.raises(Exception, match="domain") as refused:
        await submitted(database, "no such table; relation x does not exist", domain=None)

    assert getattr(refused.value, "code", None) != "SCHEMA_MISSING"


@pytest.fixture
def new_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'new' / 'spine.db'}"


@pytest.fixture
def own_postgres(own_household: Household) -> PostgresServer:
    # Durable: one that is killed would rightly forget what it has committed just before.
    return private_postgres(own_household)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["stop", "kill"])
async def test_after_a_restart_the_same_pool_works_on(
    own_postgres: PostgresServer, opened: Open, ending: str
):
    url = own_postgres.new_database()
    await upgrade(url)
    database = opened(url)
    await asyncio.gather(*(submitted(database, f"before {n}") for n in range(4)))
    await asyncio.to_thread(getattr(own_postgres, ending))
    await asyncio.to_thread(own_postgres.start)
    await asyncio.gather(*(submitted(database, f"unaware {n}") for n in range(4)))

    async def interrupted() -> None:
        async with database.transaction() as tx:
            await tx.ledger.submit(order("interrupted"))
            await asyncio.to_thread(getattr(own_postgres, ending))
            await tx.ledger.submit(order("interrupted too"))

    with pytest.raises(DatabaseUnavailable):
        await interrupted()
    with pytest.raises(DatabaseUnavailable):
        await database.check()
    await asyncio.to_thread(own_postgres.start)

    await asyncio.gather(*(submitted(database, f"after {n}") for n in range(4)))
    async with database.reading() as tx:
        keys = {execution.logical_key for execution in await tx.ledger.recent()}
    assert {"after 0", "after 1", "after 2", "after 3"} <= keys
    assert not any(key.startswith("interrupted") for key in keys)
    assert database._engine.pool.checkedout() == 0
