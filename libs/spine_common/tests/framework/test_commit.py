"""Whether what a stage made becomes fact whole, in one transaction, or not at all."""

import asyncio
from dataclasses import replace

import polars as pl
import pytest

from spine_common.contracts.commands import Command
from spine_common.core.errors import DependencyMissing
from spine_common.core.execution import Execution, Status
from spine_common.core.pipeline import Stage
from spine_common.core.quality import check
from spine_common.framework.context import StageContext
from spine_common.framework.outcome import Failed
from spine_common.framework.ports.bus import Verdict
from spine_common.framework.ports.queries import Window
from spine_common.framework.stage import Load, StageOutput, StageResult

from .builders import (
    LINES,
    SALES,
    SHOP_STAGES,
    Bench,
    aggregate,
    delivery,
    ingest,
    normalizing,
    sales_key,
)
from .conftest import Process, until


async def ingested(shop: Process, text: str = "tea 2") -> Execution:
    path = shop.folder / "sales.txt"
    path.write_text(text)
    order = {**sales_key(), "file_path": str(path)}
    execution = await shop.dispatcher.submit("shop.ingest", order)
    await shop.runner(ingest).handle(delivery(execution))
    return await shop.get(execution)


async def test_a_commit_brings_data_manifest_events_and_what_follows_at_once(shop: Process):
    path = shop.folder / "sales.txt"
    path.write_text("tea 2\ncake 1")
    order = {**sales_key(), "file_path": str(path)}
    parent = await shop.dispatcher.submit("shop.process", order)
    (first,) = await shop.children(parent)

    await shop.runner(ingest).handle(delivery(first))

    ended = await shop.get(first)
    async with shop.database.transaction() as tx:
        capture = await tx.captures.get(ended.result["capture_id"])
        assert await tx.manifest.done(capture, Stage.INGEST) == {"v1"}
        assert (await tx.queries.rows(LINES, capture, window=Window())).total == 2
        waiting = await tx.outbox.claim(limit=10, lease=30)
    assert ended.status is Status.COMPLETED
    assert ended.partition_key == capture.partition.key
    assert ended.result == {
        "capture_id": capture.capture_id,
        "rows": 2,
        "failed_checks": [],
    }
    assert [row.message.routing_key for row in waiting] == [
        "ingest.normal.shop.sales",  # its own command: no relay has run
        "partition.captured.shop.sales",
        "normalize.normal.shop.sales",
    ]


async def test_a_stage_that_fails_at_its_last_row_leaves_nothing(shop: Process):
    async def twice(command: Command, context: StageContext) -> StageOutput:
        output = await ingest(command, context)
        assert isinstance(output, StageResult)
        broken = pl.concat([output.loads[0].frame] * 2)
        return replace(output, loads=(*output.loads[:0], Load("v1", LINES, broken)))

    path = shop.folder / "sales.txt"
    path.write_text("tea 2")
    order = {**sales_key(), "file_path": str(path)}
    execution = await shop.dispatcher.submit("shop.ingest", order)

    assert await shop.runner(twice).handle(delivery(execution)) is Verdict.REJECT

    async with shop.database.reading() as tx:
        assert (await tx.queries.captures("shop.sales", window=Window())).total == 0
        assert await tx.queries.digest(LINES) == await empty_digest(shop)
    assert (await shop.get(execution)).status is Status.FAILED


async def empty_digest(shop: Process) -> str:
    async with shop.database.reading() as tx:
        return await tx.queries.digest(SALES)


async def test_the_same_work_done_twice_at_once_is_skipped_by_the_later(shop: Process):
    captured = await ingested(shop)
    gate = Bench()

    async def together(command: Command, context: StageContext) -> StageOutput:
        output = await normalizing(command, context)
        await gate(command, context)
        return output

    orders = [
        await shop.dispatcher.submit("shop.normalize", sales_key(), logical_key=str(n))
        for n in range(2)
    ]
    runner = shop.runner(together)
    handling = [asyncio.create_task(runner.handle(delivery(order))) for order in orders]

    async def both_are_there() -> bool:
        return len(gate.arrivals) == 2

    await until(both_are_there)
    gate.leave.set()
    verdicts = await asyncio.gather(*handling)

    ended = [await shop.get(order) for order in orders]
    async with shop.database.reading() as tx:
        capture = await tx.captures.get(captured.result["capture_id"])
        assert (await tx.queries.rows(SALES, capture, window=Window())).total == 1
    assert verdicts == [Verdict.ACK] * 2
    assert sorted(execution.status for execution in ended) == ["completed", "skipped"]
    assert {e.result["capture_id"] for e in ended} == {capture.capture_id}


async def test_work_the_manifest_shows_as_done_is_skipped(shop: Process):
    await ingested(shop)
    for expected in (Status.COMPLETED, Status.SKIPPED):
        execution = await shop.dispatcher.submit("shop.normalize", sales_key())
        await shop.runner(SHOP_STAGES).handle(delivery(execution))
        assert (await shop.get(execution)).status is expected


async def test_a_stage_before_its_turn_fails_for_good(shop: Process):
    await ingested(shop)
    execution = await shop.dispatcher.submit("shop.aggregate", sales_key())

    await shop.runner(aggregate).handle(delivery(execution))

    outcome = shop.handled[-1].outcome
    assert isinstance(outcome, Failed)
    assert (outcome.code, outcome.kind) == (DependencyMissing.code, "permanent")


async def test_a_failed_check_is_kept_and_named_in_the_result(shop: Process):
    async def doubtful(command: Command, context: StageContext) -> StageOutput:
        output = await ingest(command, context)
        assert isinstance(output, StageResult)
        return replace(output, checks=(check("sum", holds=False, expected=1, observed=2),))

    path = shop.folder / "sales.txt"
    path.write_text("tea 2")
    order = {**sales_key(), "file_path": str(path)}
    execution = await shop.dispatcher.submit("shop.ingest", order)

    await shop.runner(doubtful).handle(delivery(execution))

    ended = await shop.get(execution)
    async with shop.database.reading() as tx:
        (kept,) = await tx.queries.checks(await tx.captures.get(ended.result["capture_id"]))
    assert (ended.status, ended.result["failed_checks"]) == (Status.COMPLETED, ["sum"])
    assert (kept["stage"], kept["status"], kept["execution_id"]) == (
        "ingest",
        "failed",
        ended.execution_id,
    )


@pytest.mark.parametrize("earlier", ["none", "same"])
async def test_an_observer_hears_the_rows_of_what_was_written(shop: Process, earlier: str):
    if earlier == "same":
        await ingested(shop)

    await ingested(shop)

    assert shop.handled[-1].command is not None
    assert shop.handled[-1].rows == {"rows": 1}
