"""Ways an execution or a message could get stuck or lost for good, each with its way out."""

import math
from dataclasses import replace

import pytest

from spine_common.contracts.commands import Command
from spine_common.contracts.routing import COMMANDS_EXCHANGE
from spine_common.core.errors import InvalidParams
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import new_execution_id
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework.context import StageContext
from spine_common.framework.ports.bus import Verdict
from spine_common.framework.ports.queries import Row, Window
from spine_common.framework.relay import Relay
from spine_common.framework.review import DeadLetterReview
from spine_common.framework.stage import Load, StageOutput, StageResult

from .builders import SALES, SHOP_STAGES, Bench, delivery, normalizing, sales_key
from .conftest import Process, until


async def running(process: Process, *, lease: float) -> Execution:
    """Return an execution a worker has begun, whose message is gone, and whose lease is given."""
    execution = await process.dispatcher.submit("suite.work")
    async with process.database.transaction() as tx:
        await tx.outbox.mark_sent(await tx.outbox.claim(limit=1, lease=30))
        locked = await tx.ledger.lock(execution.execution_id)
        assert locked is not None
        begun = {"fence": 1, "attempt": 1}
        await tx.ledger.record(locked.execution, EventType.STARTED, begun)
        await tx.ledger.set_lease(execution.execution_id, "dead", lease)
    return execution


async def letters(process: Process) -> list[Row]:
    async with process.database.reading() as tx:
        return (await tx.dead_letters.recent(Window())).rows


async def waiting(process: Process) -> int:
    async with process.database.reading() as tx:
        rows, _ = await tx.outbox.depth()
    return rows


async def test_a_dead_letter_of_a_worker_that_died_gets_the_execution_a_verdict(process: Process):
    execution = await running(process, lease=-1.0)

    await process.desk.handle(delivery(execution, queue="spine.dlq"))

    assert (await process.get(execution)).status is Status.RETRY_SCHEDULED
    assert await waiting(process) == 1


async def test_a_dead_letter_of_one_at_work_leaves_a_command_for_when_the_lease_is_out(
    process: Process,
):
    execution = await running(process, lease=60.0)

    await process.desk.handle(delivery(execution, queue="spine.dlq"))

    assert (await process.get(execution)).status is Status.RUNNING
    assert await waiting(process) == 1


async def test_what_was_at_work_and_is_given_up_later_waits_for_a_person(process: Process):
    process.desk._policy = replace(process.policy, max_retries=0)
    execution = await running(process, lease=60.0)
    dead = delivery(execution, queue="spine.dlq")
    await process.desk.handle(dead)
    assert [row["state"] for row in await letters(process)] == ["rescheduled"]
    async with process.database.transaction() as tx:
        await tx.ledger.set_lease(execution.execution_id, "dead", -1.0)

    await process.desk.handle(dead)

    assert (await process.get(execution)).status is Status.DEAD_LETTERED
    (row,) = await letters(process)
    assert (row["state"], row["seen"]) == ("waiting", 2)
    review = DeadLetterReview(process.database, lambda: None)
    assert (await review.retry(row["dead_letter_id"])).is_new


async def test_what_the_ledger_does_not_know_can_be_sent_again_each_time_it_comes_back(
    process: Process,
):
    execution = await process.dispatcher.submit("suite.work")
    nobody = new_execution_id().encode()
    unknown = delivery(execution).body.replace(execution.execution_id.encode(), nobody)
    died = {"exchange": COMMANDS_EXCHANGE, "routing-keys": ["normalize.normal.suite"]}
    dead = replace(
        delivery(execution, queue="spine.dlq"), body=unknown, headers={"x-death": [died]}
    )
    review = DeadLetterReview(process.database, lambda: None)
    await process.desk.handle(dead)

    for times in (1, 2, 3):
        (row,) = await letters(process)
        assert (row["code"], row["state"]) == ("EXECUTION_NOT_FOUND", "waiting")
        assert (await review.retry(row["dead_letter_id"])).is_new
        assert not (await review.retry(row["dead_letter_id"])).is_new
        assert await waiting(process) == 1 + times
        await process.desk.handle(dead)


@pytest.mark.parametrize(
    "odd",
    [
        {"headers": {"x": math.nan, "y": math.inf}},
        {"headers": {"a\0b": "c\0d"}},
        {"message_id": "a\0b"},
        {"body": b"\xff\x00" * 1000},
    ],
    ids=["not a number", "NUL in a header", "NUL in the id", "no text"],
)
async def test_a_letter_is_kept_whatever_is_odd_about_it(process: Process, odd: dict):
    execution = await process.dispatcher.submit("suite.work")
    letter = replace(delivery(execution, queue="spine.dlq"), **{"body": b"garbage"} | odd)

    assert await process.desk.handle(letter) is Verdict.ACK

    assert len(await letters(process)) == 1


async def test_a_letter_that_can_not_be_judged_is_kept_all_the_same(process: Process):
    execution = await process.dispatcher.submit("shop.process", sales_key())
    (child,) = await process.children(execution)
    broken = type(process.desk)(
        type(process.context.registry)([]), process.database, process.policy, lambda: None
    )
    permanent = replace(process.policy, max_retries=0)
    broken._policy = permanent

    verdict = await broken.handle(delivery(child, queue="spine.dlq"))

    (kept,) = await letters(process)
    assert verdict is Verdict.ACK
    assert kept["code"] == "PIPELINE_NOT_FOUND"


async def test_a_message_that_names_another_pipeline_than_its_execution_is_not_run(
    process: Process,
):
    execution = await process.dispatcher.submit("suite.work")
    bench = Bench()

    verdict = await process.runner(bench).handle(delivery(replace(execution, pipeline="suite.x")))

    assert verdict is Verdict.REJECT
    assert bench.arrivals == []
    assert (await process.get(execution)).status is Status.PENDING


async def test_what_runs_are_the_parameters_the_ledger_has(process: Process):
    execution = await process.dispatcher.submit("suite.work", {"n": 1})
    bench = Bench()
    bench.leave.set()

    await process.runner(bench).handle(delivery(replace(execution, params={"n": 2})))

    assert [command.params for command in bench.arrivals] == [{"n": 1}]


async def test_a_worker_without_its_fence_can_not_replace_the_rows_the_manifest_names(
    shop: Process,
):
    capture_rows = await _normalized(shop, "tea 2\ncake 1")

    async def zombie(command: Command, context: StageContext) -> StageOutput:
        output = await normalizing(command, context)
        assert isinstance(output, StageResult)
        rows = output.loads[0].frame.head(1)
        capture = await context.capture(command)
        key = await context.keep_normalized(capture, rows)  # and then it dies
        assert key != output.object_key
        raise KeyboardInterrupt

    forced = await shop.dispatcher.submit("shop.normalize", {**sales_key(), "force": True})
    with pytest.raises(KeyboardInterrupt):
        await shop.runner(zombie).handle(delivery(forced))

    async with shop.database.reading() as tx:
        partition = shop.context.registry.domain("shop.sales").partition
        assert partition is not None
        capture = await tx.captures.latest(partition.of(sales_key()))
    assert capture is not None
    assert (await shop.context.read_normalized(capture)).height == capture_rows


async def _normalized(shop: Process, text: str) -> int:
    (shop.folder / "sales.txt").write_text(text)
    params = {**sales_key(), "file_path": str(shop.folder / "sales.txt")}
    for name in ("shop.ingest", "shop.normalize"):
        execution = await shop.dispatcher.submit(
            name, params if name == "shop.ingest" else sales_key()
        )
        runner = shop.runner(SHOP_STAGES)
        assert await runner.handle(delivery(execution)) is Verdict.ACK
    return len(text.splitlines())


async def test_work_another_release_has_done_in_part_is_done_for_the_rest(shop: Process):
    rows = await _normalized(shop, "tea 2")
    again = await shop.dispatcher.submit("shop.normalize", {**sales_key(), "force": True})
    async with shop.database.transaction() as tx:
        partition = shop.context.registry.domain("shop.sales").partition
        assert partition is not None
        capture = await tx.captures.latest(partition.of(sales_key()))
        assert capture is not None
        fresh = await tx.manifest.complete(
            capture, Stage.NORMALIZE, {"v1": rows, "v2": rows}, again.execution_id
        )
        empty = SALES.empty()
    assert fresh == {"v2"}
    assert Load("v2", SALES, empty).version in fresh


async def test_a_full_lane_does_not_hold_up_another_in_process(process: Process):
    process.relay = Relay(process.database, process.bus, interval=0.05, window=200, per_road=4)
    bench = Bench()
    await process.start(bench)
    for n in range(40):
        await process.dispatcher.submit("suite.work", {"n": n}, Lane.BACKFILL)
    await until(lambda: _arrived(bench, 4))

    late = await process.dispatcher.submit("suite.work", {"n": 1000}, Lane.NORMAL)
    process.relay.nudge()

    async def begun() -> bool:
        return (await process.get(late)).status is Status.RUNNING

    await until(begun)
    bench.leave.set()
    await process.ended(late)


async def _arrived(bench: Bench, how_many: int) -> bool:
    return len(bench.arrivals) >= how_many


@pytest.mark.parametrize("params", [{"what": "x" * 40_000}, {"what": "\ud800"}, {"n": 2**70}])
async def test_parameters_no_message_can_carry_are_refused_at_the_door(
    process: Process, params: dict
):
    with pytest.raises(InvalidParams):
        await process.dispatcher.submit("suite.work", params)
