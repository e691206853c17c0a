"""Whether a service's role can do its work, and can't rewrite what happened."""

import secrets
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, make_url, text, update
from sqlalchemy.ext.asyncio import create_async_engine

from spine_common.adapters.database.faults import NotPermitted
from spine_common.adapters.database.tables import captures, execution_events, executions
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.bootstrap.migrate import grant
from spine_common.core.errors import InvalidParams
from spine_common.core.execution import EventType
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework.audit import replay, verify

from .builders import captured, submitted


@pytest.fixture
async def role(postgres_url: str) -> AsyncIterator[str]:
    """Make a role that can log in and nothing else."""
    name = f"spine-app {secrets.token_hex(4)}"
    engine = create_async_engine(postgres_url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{name}'"))
        yield name
        await connection.execute(text(f'DROP OWNED BY "{name}"'))
        await connection.execute(text(f'DROP ROLE "{name}"'))
    await engine.dispose()


@pytest.fixture
async def service(postgres_url: str, role: str) -> AsyncIterator[SqlDatabase]:
    """The database as a service with that role sees it."""
    await grant(postgres_url, role)
    url = make_url(postgres_url).set(username=role, password=role)
    database = SqlDatabase(url.render_as_string(hide_password=False))
    yield database
    await database.close()


async def test_a_service_can_do_its_work(service: SqlDatabase):
    await service.check()
    execution = await submitted(service)
    async with service.transaction() as tx:
        await tx.ledger.record(execution, EventType.QUEUED)
        await tx.ledger.lock(execution.execution_id)
        await tx.overdue.commands(0, [(Stage.INGEST, Lane.NORMAL)], 10)
        await tx.outbox.depth()
    capture = await captured(service)
    async with service.leading("sweeper") as leads:
        assert leads
    assert capture.version == 1
    assert (await verify(service)).violations == []


@pytest.mark.parametrize(
    "statement",
    [
        update(execution_events).values(type="completed"),
        delete(execution_events),
        update(captures).values(rows=0),
        delete(captures),
        delete(executions),
    ],
    ids=["change-events", "delete-events", "change-captures", "delete-captures", "drop-executions"],
)
async def test_a_service_can_not_rewrite_what_happened(service: SqlDatabase, statement):
    await submitted(service)

    with pytest.raises(NotPermitted, match="owner"):
        async with service.transaction() as tx:
            await tx._connection.execute(statement)


async def test_a_replay_is_for_the_owner(service: SqlDatabase, postgres_url: str):
    execution = await submitted(service)

    with pytest.raises(NotPermitted):
        await replay(service)

    owner = SqlDatabase(postgres_url)
    replayed = await replay(owner)
    async with service.reading() as tx:
        assert await tx.ledger.get(execution.execution_id) == execution
    await owner.close()
    assert replayed.executions == 1


async def test_a_role_that_is_not_there_is_named(postgres_url: str, sqlite_url: str):
    with pytest.raises(InvalidParams, match="nobody-at-all"):
        await grant(postgres_url, "nobody-at-all")
    with pytest.raises(InvalidParams, match="no role"):
        await grant(postgres_url, "a" * 80)
    with pytest.raises(InvalidParams, match="SQLite"):
        await grant(sqlite_url, "anyone")


async def test_an_owner_keeps_what_it_has(postgres_url: str):
    owner = make_url(postgres_url).username
    assert owner is not None

    with pytest.raises(InvalidParams, match="own"):
        await grant(postgres_url, owner)

    database = SqlDatabase(postgres_url)
    await submitted(database)
    assert (await replay(database)).executions == 1
    await database.close()
