"""What every suite on a database shares: the database itself, and what must hold of its ledger."""

from collections.abc import AsyncIterator

import pytest

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.execution import TERMINAL, TERMINAL_EVENTS, fold
from spine_common.framework.ports.database import Database


async def ledger_holds(database: Database) -> None:
    """Every execution is the fold of its events, which are gapless and end at most once."""
    async with database.reading() as tx:
        for execution in await tx.ledger.recent(limit=10_000):
            events = await tx.ledger.events(execution.execution_id)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert fold(events) == execution == await tx.ledger.get(execution.execution_id)
            ends = [event for event in events if event.type in TERMINAL_EVENTS]
            assert len(ends) == (execution.status in TERMINAL)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def database_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def database(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[SqlDatabase]:
    """A migrated database, of which at the end the ledger must hold and no connection be out."""
    database = SqlDatabase(database_url)
    yield database
    if request.node.get_closest_marker("breaks_ledger") is None:
        await ledger_holds(database)
    assert database._engine.pool.checkedout() == 0
    await database.close()


@pytest.fixture
async def another(database_url: str) -> AsyncIterator[SqlDatabase]:
    """A second process's view of the same database."""
    another = SqlDatabase(database_url)
    yield another
    await another.close()
