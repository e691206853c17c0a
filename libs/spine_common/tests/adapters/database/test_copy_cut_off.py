"""Whether a bulk load ends when its server goes away in the middle, instead of waiting for ever."""

import asyncio
import time

import asyncpg
import pytest

from spine_common.adapters.database import bulk
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.errors import DatabaseUnavailable
from spine_common.framework.ports.queries import Window

from .builders import SAMPLE, captured, texts

pytestmark = pytest.mark.usefixtures("sample_table")


@pytest.fixture
def database_url(postgres_url: str) -> str:
    return postgres_url


@pytest.mark.parametrize("after", [0.02, 0.1, 0.3])
async def test_a_load_whose_backend_is_killed_ends_in_time_and_leaves_nothing(
    database: SqlDatabase, postgres_url: str, monkeypatch: pytest.MonkeyPatch, after: float
):
    monkeypatch.setattr(bulk, "_COPY_SECONDS", 3.0)
    capture = await captured(database)
    frame = texts(*("x" * 200 for _ in range(200_000)))

    async def load() -> None:
        async with database.transaction() as tx:
            while True:  # until it is cut off
                await tx.tables.load(SAMPLE, capture, frame)
                await tx.tables.clear(SAMPLE, capture)

    loading = asyncio.create_task(load())
    await asyncio.sleep(after)
    began = time.monotonic()
    await _kill_backends(postgres_url)
    with pytest.raises(DatabaseUnavailable):
        async with asyncio.timeout(20):
            await loading

    assert time.monotonic() - began < 15
    async with database.reading() as tx:
        assert (await tx.queries.rows(SAMPLE, capture, window=Window())).total == 0


async def _kill_backends(url: str) -> None:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        killed = 0
        while not killed:
            killed = await connection.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND state <> 'idle'"
            )
    finally:
        await connection.close()
