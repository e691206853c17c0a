import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from spine_aggregator.app import SERVICE as AGGREGATOR
from spine_api.app import SERVICE as API
from spine_api.app import create_app
from spine_common.bootstrap.platform import Platform, open_platform
from spine_common.bootstrap.settings import Settings
from spine_common.bootstrap.worker import running
from spine_common.core.execution import TERMINAL, Execution
from spine_common.core.ids import CaptureId
from spine_common.core.pipeline import Stage
from spine_common.core.quality import check
from spine_common.testing.synthetic import OTC, Defect, Week, restated, write
from spine_dlq.app import SERVICE as DLQ
from spine_ingestor.app import SERVICE as INGESTOR
from spine_normalizer.app import SERVICE as NORMALIZER

EVERY_SERVICE = (API, INGESTOR, NORMALIZER, AGGREGATOR, DLQ)
FIRST, SECOND, THIRD = date(2025, 11, 14), date(2025, 11, 21), date(2025, 11, 28)
DOMAIN = "finra.otc_transparency"


def settings_in(folder: Path) -> Settings:
    return Settings(
        data_dir=folder,
        database_url=f"sqlite+aiosqlite:///{folder}/spine.db",
        file_roots=(folder,),
        http_port=0,
        relay_interval_seconds=0.05,
    )


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> Settings:
    assert sqlite_url == settings_in(tmp_path).database_url
    return settings_in(tmp_path)


@pytest.fixture(params=["sqlite_url", "postgres_url"])
def on_either_database(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = request.getfixturevalue(request.param)
    return settings_in(tmp_path).model_copy(update={"database_url": url})


@pytest.fixture
async def platform(settings: Settings) -> AsyncIterator[Platform]:
    """Compose a platform where nothing runs: orders stay as they are."""
    async with open_platform(settings, "api") as opened:
        yield opened


@pytest.fixture
def app(platform: Platform) -> FastAPI:
    return create_app(platform, {})


def asking(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test")


@pytest.fixture
def connect() -> Callable[[FastAPI], httpx.AsyncClient]:
    return asking


@pytest.fixture
async def api(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(app) as client:
        yield client


@asynccontextmanager
async def _everything(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        running(EVERY_SERVICE, settings) as platform,
        asking(create_app(platform, {})) as client,
    ):
        yield client


@pytest.fixture
def everything() -> Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]:
    """Run every service in this process, with a client of the API."""
    return _everything


@pytest.fixture
def ended() -> Callable[[httpx.AsyncClient, str], Awaitable[dict[str, Any]]]:
    async def poll(client: httpx.AsyncClient, poll_url: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                answer: dict[str, Any] = (await client.get(poll_url)).json()
                if answer["status"] in TERMINAL:
                    return answer
                await asyncio.sleep(0.02)

    return poll


@pytest.fixture(scope="session")
def captured(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with four captures, once: tests that only read share it.

    The first week is captured twice, the second has a failed check, the third is only ingested.
    """
    folder = tmp_path_factory.mktemp("captured")
    shutil.copy(sqlite_template, folder / "spine.db")
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, _capture_weeks(folder)).result()
    return folder


async def _capture_weeks(folder: Path) -> None:
    first = Week(FIRST, OTC, rows=80, defects={Defect.DECIMAL: 2})
    corrected = restated(first, 5, 4_000_000, updated=date(2025, 12, 29))
    async with running(EVERY_SERVICE, settings_in(folder)) as platform:
        for week in (first, corrected, Week(SECOND, OTC, rows=40)):
            ended = await _run(platform, folder, week, "process_week")
        async with platform.database.transaction() as tx:
            capture = await tx.captures.get(CaptureId(ended.result["capture_id"]))
            failed = check("venues_seen", holds=False, expected="9", observed="4", detail="Why?")
            await tx.evidence.checks(capture, Stage.NORMALIZE, [failed], ended.execution_id)
        await _run(platform, folder, Week(THIRD, OTC, rows=20), "ingest_week")


async def _run(platform: Platform, folder: Path, week: Week, pipeline: str) -> Execution:
    params: Mapping[str, Any] = {
        "week_ending": str(week.week_ending),
        "tier": week.tier,
        "file_path": write(week, folder).name,
    }
    execution = await platform.dispatcher.submit(f"{DOMAIN}.{pipeline}", params)
    async with asyncio.timeout(30):
        while execution.status not in TERMINAL:
            await asyncio.sleep(0.02)
            async with platform.database.reading() as tx:
                execution = await tx.ledger.get(execution.execution_id) or execution
    assert execution.status == "completed", execution.error
    return execution


@pytest.fixture
async def data(captured: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Open the captured weeks, to be read and nothing else."""
    async with (
        open_platform(settings_in(captured), "api") as opened,
        asking(create_app(opened, {})) as client,
    ):
        yield client
