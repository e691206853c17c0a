"""Whether a process whose work has died ends, instead of looking well and doing nothing."""

import asyncio
from pathlib import Path

import pytest

from spine_common.bootstrap.platform import Platform, build_platform
from spine_common.bootstrap.service import Service
from spine_common.bootstrap.settings import Settings
from spine_common.bootstrap.variables import InvalidSetting
from spine_common.bootstrap.worker import running
from spine_common.contracts.commands import Command
from spine_common.core.pipeline import WORK_STAGES
from spine_common.framework.context import StageContext
from spine_common.framework.relay import Relay
from spine_common.framework.stage import PlainResult, StageOutput


async def nothing(_command: Command, _context: StageContext) -> StageOutput:
    return PlainResult({})


EVERYTHING = Service("all", dict.fromkeys(WORK_STAGES, nothing))
DESK = Service("dlq", dead_letters=True)


def settings(url: str, folder: Path) -> Settings:
    return Settings(database_url=url, data_dir=folder, http_port=0, shutdown_grace_seconds=2)


async def test_work_that_dies_ends_the_process_with_what_it_died_of(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def die(_self: Relay) -> None:
        raise ZeroDivisionError("the relay is broken")

    monkeypatch.setattr(Relay, "run", die)

    with pytest.raises(ZeroDivisionError):
        async with (
            asyncio.timeout(20),
            running([EVERYTHING, DESK], settings(sqlite_url, tmp_path)),
        ):
            await asyncio.Event().wait()


async def test_a_process_that_is_told_to_end_ends_well(sqlite_url: str, tmp_path: Path):
    async with (
        asyncio.timeout(20),
        running([EVERYTHING, DESK], settings(sqlite_url, tmp_path)) as platform,
    ):
        while platform.bus.live_consumers() < 10:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.02)
    assert platform.bus.live_consumers() == 0


async def test_what_runs_beside_has_its_platform_until_it_has_ended(
    sqlite_url: str, tmp_path: Path
):
    """Though another task of the process ends first."""
    began, looked = asyncio.Event(), list[bool]()

    async def beside(platform: Platform) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.2)
            looked.append(platform.bus.live_consumers() == 0)
            await platform.database.check()
            looked.append(True)

    slow = Service("slow", dead_letters=True, beside=beside)
    async with asyncio.timeout(20):
        async with running([slow], settings(sqlite_url, tmp_path)):
            await began.wait()
        assert looked == [True, True]


def test_retries_for_a_pipeline_that_is_not_there_are_refused_before_anything_runs(tmp_path: Path):
    misspelt = Settings(data_dir=tmp_path, max_retries_by_pipeline={"example.helo": 1})

    with pytest.raises(InvalidSetting, match=r"SPINE_MAX_RETRIES_BY_PIPELINE.*example\.helo"):
        build_platform(misspelt)
