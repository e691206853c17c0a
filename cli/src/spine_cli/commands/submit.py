"""`spine submit`: an order for whatever process has the stages, with or without waiting."""

import asyncio
from collections.abc import Mapping
from typing import Any

import typer

from spine_cli.documents import execution_document
from spine_cli.embedded import opened, quiet_settings
from spine_cli.following import follow, report
from spine_cli.invocation import spine
from spine_cli.options import (
    Day,
    File,
    Force,
    Json,
    LaneOption,
    Params,
    PipelineName,
    Tier,
    Wait,
    WeekEnding,
    collect_params,
    shorthands,
)
from spine_cli.ordering import order
from spine_cli.outcome import Outcome
from spine_cli.render import print_json
from spine_cli.waiting import print_who_does_it
from spine_common.core.execution import Execution
from spine_common.core.pipeline import Lane


def submit(  # noqa: PLR0913 - a command line is its options
    pipeline: PipelineName,
    *,
    param: Params = None,
    week_ending: WeekEnding = None,
    tier: Tier = None,
    file: File = None,
    date: Day = None,
    force: Force = False,
    lane: LaneOption = Lane.NORMAL,
    wait: Wait = False,
    json: Json = False,
) -> None:
    """Order a pipeline; the running services do it.

    Without a broker that is `spine up` or `spine worker` on the same database. An open order
    for the same thing is shown instead of making a second one.
    """
    params = collect_params(param, shorthands(week_ending, tier, file, date, force=force))
    ordered = asyncio.run(_submit(pipeline, params, lane, wait=wait))
    if isinstance(ordered, Outcome):
        report(ordered, json=json)
    elif json:
        print_json(execution_document(ordered))
    else:
        typer.echo(f"{ordered.status}  {ordered.pipeline}  {ordered.execution_id}")
        typer.echo(f"Next: {spine('execution', 'show', ordered.execution_id)}")
        print_who_does_it()


async def _submit(
    pipeline: str, params: Mapping[str, Any], lane: Lane, *, wait: bool
) -> Outcome | Execution:
    async with opened(quiet_settings()) as platform:
        execution = await order(platform, pipeline, params, lane)
        return await follow(platform, execution.execution_id) if wait else execution
