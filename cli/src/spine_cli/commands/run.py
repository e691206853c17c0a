"""`spine run`: a pipeline, now, in this process, with its progress."""

import asyncio
from collections.abc import Mapping
from typing import Any

from spine_cli.embedded import quiet_settings, working
from spine_cli.following import follow, report
from spine_cli.options import (
    Day,
    File,
    Force,
    Json,
    Params,
    PipelineName,
    Tier,
    WeekEnding,
    collect_params,
    shorthands,
)
from spine_cli.ordering import order
from spine_cli.outcome import Outcome


def run(  # noqa: PLR0913 - a command line is its options
    pipeline: PipelineName,
    *,
    param: Params = None,
    week_ending: WeekEnding = None,
    tier: Tier = None,
    file: File = None,
    date: Day = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Run a pipeline now, in this process, and show how it comes along.

    Everything runs here, on the database and store the settings name, also where a broker is
    set. Exit code 1 if it fails, 2 if it can't be ordered like that; done before is no failure.
    """
    params = collect_params(param, shorthands(week_ending, tier, file, date, force=force))
    report(asyncio.run(_run(pipeline, params)), json=json)


async def _run(pipeline: str, params: Mapping[str, Any]) -> Outcome:
    async with working(quiet_settings()) as platform:
        execution = await order(platform, pipeline, params)
        return await follow(platform, execution.execution_id)
