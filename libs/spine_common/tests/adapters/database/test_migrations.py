"""Whether migrating gives the schema the code was written for, once, however often it is asked."""

import asyncio
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect, text

from spine_common.adapters.database.datatables import data_metadata, data_table
from spine_common.adapters.database.engine import open_engine, writing
from spine_common.adapters.database.faults import SchemaMissing
from spine_common.adapters.database.migrate import head_revision
from spine_common.adapters.database.tables import metadata
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.bootstrap import migrate
from spine_common.framework.registry import discover

from .builders import SAMPLE, captured, loaded, partition, submitted, texts


@pytest.fixture(params=["new_sqlite_url", "empty_postgres_url"])
def empty_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture
def new_sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'spine.db'}"


def differences(connection: Connection) -> list[object]:
    """Compare what is there with what is declared; tables of other suites count on neither side."""
    built_in = {data_table(it).name for d in discover().domains.values() for it in d.datasets}
    declared = MetaData()
    for table in (*metadata.sorted_tables, *(data_metadata.tables[name] for name in built_in)):
        table.to_metadata(declared)
    strangers = set(data_metadata.tables) - built_in
    context = MigrationContext.configure(
        connection,
        opts={
            "compare_type": True,
            "compare_server_default": True,
            "include_name": lambda name, kind, _: kind != "table" or name not in strangers,
        },
    )
    return list(compare_metadata(context, declared))


async def seen(url: str, look):
    engine = open_engine(url, pool_size=1)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(look)
    finally:
        await engine.dispose()


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


async def test_the_migrated_schema_is_the_declared_one(empty_url: str):
    await migrate.migrate(empty_url)

    assert await seen(empty_url, differences) == []


async def test_a_partial_index_keeps_its_condition(empty_url: str):
    await migrate.migrate(empty_url)

    def conditions(connection: Connection) -> list[str]:
        dialect = connection.dialect.name
        indexes = [
            index
            for table in ("executions", "execution_events")
            for index in inspect(connection).get_indexes(table)
        ]
        options = [index.get("dialect_options", {}) for index in indexes]
        return [str(it[f"{dialect}_where"]) for it in options if f"{dialect}_where" in it]

    found = await seen(empty_url, conditions)
    assert len(found) == 3
    for condition in found:
        assert all(end in condition for end in ("cancelled", "completed", "dead_lettered"))


async def test_an_empty_database_has_no_revision_and_a_migrated_one_the_newest(empty_url: str):
    assert await migrate.status(empty_url) == (None, head_revision())

    assert await migrate.migrate(empty_url) == head_revision()

    assert await migrate.status(empty_url) == (head_revision(), head_revision())


async def test_migrating_twice_keeps_what_is_there(database_url: str):
    before = await seen(database_url, tables)
    database = SqlDatabase(database_url)
    execution = await submitted(database)

    await migrate.migrate(database_url)

    async with database.reading() as tx:
        assert await tx.ledger.get(execution.execution_id) == execution
    await database.check()
    await database.close()
    assert before <= await seen(database_url, tables)


async def test_migrations_at_the_same_time_are_one(empty_url: str):
    revisions = await asyncio.gather(*(migrate.migrate(empty_url) for _ in range(3)))

    assert revisions == [head_revision()] * 3
    assert await seen(empty_url, differences) == []


async def test_a_failed_migration_leaves_nothing(empty_url: str):
    engine = open_engine(empty_url, pool_size=1)
    async with writing(engine).begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE captures (in_the_way INTEGER)")

    with pytest.raises(Exception, match="captures"):
        await migrate.migrate(empty_url)

    await engine.dispose()
    assert await seen(empty_url, tables) == {"captures"}


async def test_a_reset_removes_all_data_and_leaves_the_schema(database_url: str):
    data_table(SAMPLE)
    await migrate.migrate(database_url)
    database = SqlDatabase(database_url)
    await submitted(database)
    await loaded(database, texts("a"))
    await captured(database, of=partition(side="B"))

    await migrate.reset(database_url)

    async with database.reading() as tx:
        assert await tx.ledger.recent() == []
        assert await tx.captures.latest(partition()) is None
    await database.check()
    capture = await loaded(database, texts("b"))
    await database.close()
    assert capture.version == 1


async def test_a_database_ahead_of_this_release_will_do_and_one_behind_will_not(empty_url: str):
    await migrate.migrate(empty_url)
    for revision, good in (("9999_later", True), ("0001_ledger", False)):
        engine = open_engine(empty_url)
        async with writing(engine).begin() as connection:
            stamp = text("UPDATE alembic_version SET version_num = :revision")
            await connection.execute(stamp, {"revision": revision})
        await engine.dispose()
        database = SqlDatabase(empty_url)
        if good:
            await database.check()
        else:
            with pytest.raises(SchemaMissing, match="spine db migrate"):
                await database.check()
        await database.close()


async def test_asking_for_the_revision_does_not_wait_for_a_load(database_url: str):
    database = SqlDatabase(database_url)
    async with database.transaction(), asyncio.timeout(10):
        assert await migrate.status(database_url) == (head_revision(), head_revision())
    await database.close()
