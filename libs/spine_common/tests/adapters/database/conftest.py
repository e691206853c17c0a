"""Two databases side by side, the tables of the suite's own dataset, and a clock that is wrong."""

from collections.abc import AsyncIterator

import pytest

from spine_common.adapters.database.datatables import data_table
from spine_common.adapters.database.migrate import upgrade
from spine_common.adapters.database.unit_of_work import SqlDatabase

from .builders import SAMPLE


@pytest.fixture
async def sample_table(database_url: str) -> None:
    """The suite's dataset arrives as an installed package's does: by migrating once more."""
    data_table(SAMPLE)
    await upgrade(database_url)


@pytest.fixture
async def both(sqlite_url: str, postgres_url: str) -> AsyncIterator[tuple[SqlDatabase, ...]]:
    """One database of each kind, with the suite's dataset."""
    data_table(SAMPLE)
    databases = []
    for url in (sqlite_url, postgres_url):
        await upgrade(url)
        databases.append(SqlDatabase(url))
    yield tuple(databases)
    for database in databases:
        await database.close()
