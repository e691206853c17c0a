"""Whether an order is understood, recorded and sent on, or refused before anything is written."""

import asyncio

import pytest

from spine_common.contracts.commands import read_command
from spine_common.core.errors import InvalidParams, MissingRequired, PipelineNotFound
from spine_common.core.execution import Execution, Status
from spine_common.core.ids import command_message_id
from spine_common.core.pipeline import Lane, Stage, TriggerSource
from spine_common.framework.ports.ledger import OutboxRow

from .builders import SHOP_STAGES
from .conftest import Process


async def outbox(process: Process) -> list[OutboxRow]:
    async with process.database.transaction() as tx:
        return await tx.outbox.claim(limit=100, lease=0.0)


async def recorded(process: Process) -> list[Execution]:
    async with process.database.reading() as tx:
        return await tx.ledger.recent()


async def test_an_order_is_recorded_and_its_command_waits_in_the_outbox(process: Process):
    execution = await process.dispatcher.submit(
        "suite.work", {"n": "3"}, Lane.BACKFILL, TriggerSource.CLI
    )

    (row,) = await outbox(process)
    command = read_command(row.message.body)
    assert await recorded(process) == [execution]
    assert execution.status is Status.PENDING
    assert execution.params == {"n": 3}
    assert (execution.lane, execution.trigger_source) == (Lane.BACKFILL, TriggerSource.CLI)
    assert row.execution_id == command.execution_id == execution.execution_id
    assert row.message.message_id == command_message_id(execution.execution_id, 1)
    assert row.message.routing_key == "normalize.backfill.suite"
    assert (command.pipeline, command.attempt, command.params) == ("suite.work", 1, {"n": 3})


async def test_what_cannot_be_run_is_refused_before_anything_is_written(process: Process):
    mistakes: list[tuple[str, dict[str, object], type[Exception], str]] = [
        ("suite.wrok", {}, PipelineNotFound, "suite.work"),
        ("", {}, PipelineNotFound, "pipeline list"),
        ("suite.work", {"m": 1}, InvalidParams, "It takes n, what"),
        ("suite.work", {"n": "three"}, InvalidParams, "n can't be 'three'"),
        ("suite.greet", {}, MissingRequired, "name"),
        ("shop.ingest", {"day": "2025-02-30"}, InvalidParams, "day"),
    ]

    for pipeline, params, error, hint in mistakes:
        with pytest.raises(error, match=hint):
            await process.dispatcher.submit(pipeline, params)

    assert await recorded(process) == []
    assert await outbox(process) == []


async def test_an_alias_orders_the_pipeline_itself(process: Process):
    execution = await process.dispatcher.submit("work", {"n": 1})

    same = await process.dispatcher.submit("suite.work", {"n": 1})

    assert execution.pipeline == "suite.work"
    assert same.execution_id == execution.execution_id


async def test_the_same_order_twice_is_one_execution_and_one_command(process: Process):
    answers = await asyncio.gather(
        *(process.dispatcher.submit("suite.work", {"n": 1, "what": "x"}) for _ in range(6))
    )

    assert len({execution.execution_id for execution in answers}) == 1
    assert len(await outbox(process)) == 1


async def test_orders_that_differ_in_a_parameter_are_two(process: Process):
    first = await process.dispatcher.submit("suite.work", {"n": 1})
    second = await process.dispatcher.submit("suite.work", {"n": 2})
    key = {"day": "2025-11-14", "shop": "A"}
    third = await process.dispatcher.submit("shop.ingest", {**key, "file_path": "a.txt"})
    fourth = await process.dispatcher.submit("shop.ingest", {**key, "file_path": "b.txt"})

    assert len({e.execution_id for e in (first, second, third, fourth)}) == 4


async def test_the_caller_may_say_what_counts_as_the_same(process: Process):
    first = await process.dispatcher.submit("suite.work", {"n": 1}, logical_key="nightly")
    second = await process.dispatcher.submit("suite.work", {"n": 2}, logical_key="nightly")

    assert second == first


async def test_an_order_after_the_end_of_the_first_is_a_new_execution(process: Process):
    await process.start()
    first = await process.ended(await process.dispatcher.submit("suite.work"))

    second = await process.dispatcher.submit("suite.work")

    assert second.execution_id != first.execution_id
    await process.ended(second)


async def test_preparing_an_order_writes_nothing(process: Process):
    new = process.dispatcher.prepare(
        "shop.normalize",
        {"day": "2025-11-14", "shop": "A"},
        Lane.NORMAL,
        TriggerSource.API,
    )

    assert new.partition_key == "day=2025-11-14/shop=A"
    assert new.stage is Stage.NORMALIZE
    assert await recorded(process) == []


async def captured(shop: Process, day: str, name: str = "A", text: str = "tea 1") -> Execution:
    path = shop.folder / f"{day}{name}.txt"
    path.write_text(text)
    params = {"day": day, "shop": name, "file_path": str(path)}
    return await shop.ended(await shop.dispatcher.submit("shop.ingest", params))


async def test_an_order_without_a_partition_is_run_for_each_that_needs_it(shop: Process):
    await shop.start(SHOP_STAGES)
    for day in ("2025-11-14", "2025-11-15", "2025-11-16"):
        await captured(shop, day)
    done = {"day": "2025-11-15", "shop": "A"}
    await shop.ended(await shop.dispatcher.submit("shop.normalize", done))

    parent = await shop.ended(await shop.dispatcher.submit("shop.normalize"))

    children = await shop.children(parent)
    assert parent.status is Status.COMPLETED
    assert parent.result == {"children": 2}
    assert sorted(child.partition_key or "" for child in children) == [
        "day=2025-11-14/shop=A",
        "day=2025-11-16/shop=A",
    ]
    assert {child.status for child in children} == {Status.COMPLETED}


async def test_a_partly_named_partition_means_all_that_match(shop: Process):
    await shop.start(SHOP_STAGES)
    for day, name in (("2025-11-14", "A"), ("2025-11-14", "B"), ("2025-11-15", "B")):
        await captured(shop, day, name)

    parent = await shop.ended(await shop.dispatcher.submit("shop.normalize", {"shop": "B"}))

    keys = sorted(child.partition_key or "" for child in await shop.children(parent))
    assert keys == ["day=2025-11-14/shop=B", "day=2025-11-15/shop=B"]


async def test_with_nothing_to_do_for_any_partition_the_order_is_skipped(shop: Process):
    await shop.start(SHOP_STAGES)
    await captured(shop, "2025-11-14")
    await shop.ended(await shop.dispatcher.submit("shop.normalize"))

    again = await shop.dispatcher.submit("shop.normalize")
    nothing_captured = await shop.dispatcher.submit("shop.normalize", {"shop": "Z"})
    forced = await shop.ended(await shop.dispatcher.submit("shop.normalize", {"force": True}))

    assert again.status is nothing_captured.status is Status.SKIPPED
    assert await shop.children(again) == []
    assert forced.result == {"children": 1}
