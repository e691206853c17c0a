"""Whether steps follow one another once each, and a parent ends once, with its last child."""

import asyncio
from dataclasses import replace
from itertools import pairwise

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import ExecutionId, child_execution_id, new_execution_id
from spine_common.core.pipeline import Lane, TriggerSource
from spine_common.framework import workflow
from spine_common.framework.commit import commit
from spine_common.framework.ports.database import Database
from spine_common.framework.ports.ledger import NewExecution
from spine_common.framework.ports.queries import Window
from spine_common.framework.stage import PlainResult

from .builders import (
    AGGREGATE,
    INGEST,
    NORMALIZE,
    REGISTRY,
    SALES,
    SHOP_STAGES,
    TOTALS,
    WORK,
    delivery,
    sales_key,
)
from .conftest import Process

SOLD = "tea 2\ncake 1\ntea x\ntea 3"


async def process_day(shop: Process, text: str = SOLD, **more: object) -> Execution:
    path = shop.folder / "sales.txt"
    path.write_text(text)
    params = {**sales_key(), "file_path": str(path), **more}
    return await shop.ended(await shop.dispatcher.submit("shop.process", params))


async def test_a_workflow_runs_its_steps_in_order(shop: Process):
    await shop.start(SHOP_STAGES)

    parent = await process_day(shop)

    children = await shop.children(parent)
    assert [child.pipeline for child in children] == [INGEST.name, NORMALIZE.name, AGGREGATE.name]
    assert {child.status for child in children} == {Status.COMPLETED}
    for before, after in pairwise(children):
        assert before.completed_at is not None
        assert after.started_at is not None
        assert before.completed_at <= after.started_at
    assert [event.type for event in await shop.events(parent)] == [
        EventType.SUBMITTED,
        EventType.STARTED,
        EventType.COMPLETED,
    ]
    assert parent.partition_key == "day=2025-11-14/shop=A"
    assert parent.result == {"children": 3, "capture_id": children[0].result["capture_id"]}


async def test_what_the_steps_made_is_there_when_the_workflow_has_ended(shop: Process):
    await shop.start(SHOP_STAGES)
    parent = await process_day(shop)

    async with shop.database.reading() as tx:
        capture = await tx.captures.get(parent.result["capture_id"])
        totals = await tx.queries.rows(TOTALS, capture, window=Window())
        coverage = await tx.queries.coverage("shop.sales", window=Window())
        reasons = await tx.queries.reject_reasons(capture)
        checks = await tx.queries.checks(capture)
    assert [(row["item"], row["pieces"]) for row in totals.rows] == [("cake", 1), ("tea", 5)]
    assert reasons == {"NO_NUMBER": 1}
    assert [(row["name"], row["status"]) for row in checks] == [("sum", "passed")]
    assert (coverage.rows[0]["stages_done"], coverage.rows[0]["rejected"]) == (3, 1)


async def test_the_same_day_again_is_skipped_and_writes_nothing(shop: Process):
    await shop.start(SHOP_STAGES)
    first = await process_day(shop)
    async with shop.database.reading() as tx:
        before = await tx.queries.digest(TOTALS)

    second = await process_day(shop)

    assert second.status is Status.SKIPPED
    assert second.result["capture_id"] == first.result["capture_id"]
    assert {child.status for child in await shop.children(second)} == {Status.SKIPPED}
    async with shop.database.reading() as tx:
        assert await tx.queries.digest(TOTALS) == before


async def test_a_correction_is_processed_beside_the_old_capture(shop: Process):
    await shop.start(SHOP_STAGES)
    first = await process_day(shop)

    second = await process_day(shop, "tea 7")

    async with shop.database.reading() as tx:
        old = await tx.captures.get(first.result["capture_id"])
        new = await tx.captures.get(second.result["capture_id"])
        assert (await tx.queries.rows(SALES, old, window=Window())).total == 3
        assert [
            row["pieces"] for row in (await tx.queries.rows(SALES, new, window=Window())).rows
        ] == [7]
    assert (old.version, new.version) == (1, 2)


async def test_force_is_handed_down_and_does_everything_anew(shop: Process):
    await shop.start(SHOP_STAGES)
    first = await process_day(shop)

    second = await process_day(shop, force=True)

    assert second.status is Status.COMPLETED
    assert second.result["capture_id"] != first.result["capture_id"]
    assert all(child.params["force"] for child in await shop.children(second))


async def test_a_forced_step_replaces_what_its_capture_had(shop: Process):
    await shop.start(SHOP_STAGES)
    first = await process_day(shop)

    again = await shop.ended(
        await shop.dispatcher.submit("shop.normalize", {**sales_key(), "force": True})
    )

    async with shop.database.reading() as tx:
        capture = await tx.captures.get(first.result["capture_id"])
        assert (await tx.queries.rows(SALES, capture, window=Window())).total == 3
        assert await tx.queries.reject_reasons(capture) == {"NO_NUMBER": 1}
    assert again.status is Status.COMPLETED


async def test_a_step_delivered_again_orders_nothing_a_second_time(shop: Process):
    await shop.start(SHOP_STAGES)
    parent = await process_day(shop)
    runner = shop.runner(SHOP_STAGES)

    for child in await shop.children(parent):
        await runner.handle(delivery(child))

    ids = [child.execution_id for child in await shop.children(parent)]
    steps = (INGEST.name, NORMALIZE.name, AGGREGATE.name)
    assert ids == [child_execution_id(parent.execution_id, step) for step in steps]
    async with shop.database.reading() as tx:
        assert await tx.outbox.depth() == (0, 0.0)


async def test_a_cancelled_workflow_orders_no_further_step(shop: Process):
    path = shop.folder / "sales.txt"
    path.write_text(SOLD)
    order = {**sales_key(), "file_path": str(path)}
    parent = await shop.dispatcher.submit("shop.process", order)
    (first,) = await shop.children(parent)
    async with shop.database.transaction() as tx:
        await tx.ledger.record(parent, EventType.CANCELLED)

    await shop.runner(SHOP_STAGES).handle(delivery(first))

    assert len(await shop.children(parent)) == 1
    assert (await shop.get(parent)).status is Status.CANCELLED


async def test_a_stage_of_its_own_does_not_stand_in_for_a_workflows_step(shop: Process):
    path = shop.folder / "sales.txt"
    path.write_text(SOLD)
    order = {**sales_key(), "file_path": str(path)}
    alone = await shop.dispatcher.submit("shop.ingest", order)
    parent = await shop.dispatcher.submit("shop.process", order)

    (step,) = await shop.children(parent)
    assert step.execution_id != alone.execution_id


PARENT = NewExecution(
    execution_id=ExecutionId("drawn for each"),
    pipeline=WORK.name,
    stage=WORK.stage,
    domain="suite",
    lane=Lane.NORMAL,
    params={},
    partition_key=None,
    logical_key="parent",
    trigger_source=TriggerSource.API,
)


async def family(database: Database, size: int) -> tuple[Execution, list[Execution]]:
    """Return a parent and its children, all claimed and at work."""
    async with database.transaction() as tx:
        parent, _ = await tx.ledger.submit(replace(PARENT, execution_id=new_execution_id()))
        parent = await tx.ledger.record(parent, EventType.STARTED)
        for number in range(size):
            await workflow.add_child(tx, REGISTRY, parent, WORK, {}, step=str(number))
        children = [
            await tx.ledger.record(child, EventType.STARTED, {"fence": 1, "attempt": 1})
            for child in await tx.ledger.children(parent.execution_id)
        ]
    return parent, children


async def end(database: Database, child: Execution, n: int) -> Execution:
    async with database.transaction() as tx:
        return await commit(tx, REGISTRY, child, PlainResult({"n": n}))


async def test_a_parent_ends_with_the_last_of_its_children(database: SqlDatabase):
    for last in range(3):
        parent, children = await family(database, 3)
        children.append(children.pop(last))

        for child in children:
            async with database.reading() as tx:
                assert await tx.ledger.get(parent.execution_id) == parent
            await end(database, child, 1)

        async with database.reading() as tx:
            ended = await tx.ledger.get(parent.execution_id)
        assert ended is not None
        assert ended.status is Status.COMPLETED
        assert ended.result == {"children": 3}


async def test_two_last_children_finishing_together_end_their_parent_once(
    database: SqlDatabase, another: SqlDatabase
):
    rounds = 50 if database._engine.dialect.name == "postgresql" else 10
    for _ in range(rounds):
        parent, (one, two) = await family(database, 2)

        await asyncio.gather(end(database, one, 1), end(another, two, 2))

        async with database.reading() as tx:
            ends = [event.type for event in await tx.ledger.events(parent.execution_id)]
        assert ends == [EventType.SUBMITTED, EventType.STARTED, EventType.COMPLETED]
