"""Whether one delivery is run once, and its end recorded whichever way it ended."""

import asyncio
from dataclasses import replace

from spine_common.core.errors import SourceNotFound, StoreUnavailable
from spine_common.core.execution import EventType, Execution, Status
from spine_common.framework.outcome import Done, Failed, Stale
from spine_common.framework.ports.bus import Delivery, Verdict

from .builders import Bench, delivery, done, failing
from .conftest import Process


async def failure_of(process: Process, execution: Execution) -> dict[str, object]:
    last = (await process.events(execution))[-1]
    assert last.type is EventType.FAILED
    return dict(last.payload)


async def test_a_command_is_run_and_its_result_recorded(process: Process):
    execution = await process.dispatcher.submit("suite.work", {"n": 1})

    verdict = await process.runner().handle(delivery(execution))

    ended = await process.get(execution)
    assert verdict is Verdict.ACK
    assert (ended.status, ended.result, ended.fence) == (Status.COMPLETED, {"done": True}, 1)
    started = (await process.events(execution))[1]
    assert started.payload == {"attempt": 1, "fence": 1, "owner": "worker"}
    assert [handled.outcome for handled in process.handled] == [Done("completed")]


async def test_a_plain_pipeline_runs_its_function(process: Process):
    execution = await process.dispatcher.submit("suite.greet", {"name": "Ada"})

    await process.runner({}).handle(delivery(execution))

    assert (await process.get(execution)).result == {"greeting": "Hello, Ada"}


async def test_a_plain_pipelines_error_fails_it_for_good(process: Process):
    execution = await process.dispatcher.submit("suite.greet", {"name": "nobody"})

    verdict = await process.runner({}).handle(delivery(execution))

    failure = await failure_of(process, execution)
    assert verdict is Verdict.REJECT
    assert (failure["code"], failure["kind"]) == ("PIPELINE_FAILED", "permanent")


async def test_a_duplicate_delivery_runs_once(process: Process):
    bench = Bench()
    bench.leave.set()
    runner = process.runner(bench)
    execution = await process.dispatcher.submit("suite.work")

    verdicts = [await runner.handle(delivery(execution)) for _ in range(3)]

    assert verdicts == [Verdict.ACK] * 3
    assert len(bench.arrivals) == 1
    assert [type(handled.outcome) for handled in process.handled] == [Done, Stale, Stale]


async def test_deliveries_at_the_same_time_run_once(process: Process):
    bench = Bench()
    runner = process.runner(bench)
    execution = await process.dispatcher.submit("suite.work")

    handling = [asyncio.create_task(runner.handle(delivery(execution))) for _ in range(4)]
    await asyncio.wait(handling, return_when=asyncio.FIRST_COMPLETED)
    await bench.arrived.wait()
    bench.leave.set()
    verdicts = await asyncio.gather(*handling)

    assert verdicts == [Verdict.ACK] * 4
    assert len(bench.arrivals) == 1
    assert (await process.get(execution)).status is Status.COMPLETED


async def test_a_cancelled_execution_is_not_run(process: Process):
    bench = Bench()
    execution = await process.dispatcher.submit("suite.work")
    async with process.database.transaction() as tx:
        await tx.ledger.record(execution, EventType.CANCELLED)

    verdict = await process.runner(bench).handle(delivery(execution))

    assert verdict is Verdict.ACK
    assert bench.arrivals == []


FAILURES = (
    (StoreUnavailable("the disk is full"), "STORE_UNAVAILABLE", "transient"),
    (SourceNotFound("no such file"), "SOURCE_NOT_FOUND", "permanent"),
    (ConnectionResetError("peer"), "ConnectionResetError", "transient"),
    (TimeoutError("the source was slow"), "TimeoutError", "transient"),
    (ZeroDivisionError(), "ZeroDivisionError", "permanent"),
    (ValueError("NUL \x00 and half a sign \udcff"), "ValueError", "permanent"),
    (StoreUnavailable("x" * 1_000_000), "STORE_UNAVAILABLE", "transient"),
)


async def test_a_failure_is_recorded_and_rejected(process: Process):
    for n, (error, code, kind) in enumerate(FAILURES):
        execution = await process.dispatcher.submit("suite.work", {"n": n})

        verdict = await process.runner(failing(error)).handle(delivery(execution))

        failure = await failure_of(process, execution)
        now = await process.get(execution)
        assert verdict is Verdict.REJECT
        assert (failure["code"], failure["kind"], failure["attempt"]) == (code, kind, 1)
        assert 0 < len(str(failure["message"])) < 10_000
        assert (now.status, now.error_code) == (Status.FAILED, code)


async def test_a_failed_attempt_is_rejected_again_when_it_is_delivered_again(process: Process):
    """Its worker may have died between the record and the reject."""
    runner = process.runner(failing(OSError("once")))
    execution = await process.dispatcher.submit("suite.work")
    await runner.handle(delivery(execution))

    assert await runner.handle(delivery(execution)) is Verdict.REJECT

    first, second = (handled.outcome for handled in process.handled)
    assert isinstance(second, Failed)
    assert first == second
    assert (await process.get(execution)).seq == 3


async def test_a_stage_beyond_its_deadline_is_stopped_and_failed(process: Process):
    bench = Bench()
    execution = await process.dispatcher.submit("suite.work")

    verdict = await process.runner(bench, deadline=0.1).handle(delivery(execution))

    failure = await failure_of(process, execution)
    assert verdict is Verdict.REJECT
    assert (failure["code"], failure["kind"]) == ("DEADLINE_EXCEEDED", "transient")
    assert "0.1 s" in str(failure["message"])
    assert bench.stopped == 1


async def test_a_command_of_nobody_is_parked(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    stranger = delivery(execution).body.replace(
        execution.execution_id.encode(), b"00000000-0000-7000-8000-000000000000"
    )
    parked = replace(delivery(execution), body=stranger)

    assert await process.runner().handle(parked) is Verdict.REJECT

    assert (await process.get(execution)).status is Status.PENDING


async def test_bytes_that_are_no_command_are_parked(process: Process):
    for body in (b"", b"\xff\xfe", b"{}", b'{"specversion": "1.0"}', b"[1]"):
        poison = Delivery(body, {}, "spine.normalize.normal", None, redelivered=False)

        assert await process.runner().handle(poison) is Verdict.REJECT

        handled = process.handled.pop()
        assert handled.command is None
        assert isinstance(handled.outcome, Failed)


async def test_a_stage_that_is_shut_down_leaves_its_execution_to_the_next(process: Process):
    bench = Bench()
    execution = await process.dispatcher.submit("suite.work")
    handling = asyncio.create_task(process.runner(bench, seconds=0.2).handle(delivery(execution)))
    await bench.arrived.wait()

    handling.cancel()
    await asyncio.wait([handling])

    assert handling.cancelled()
    assert (await process.get(execution)).status is Status.RUNNING
    async with asyncio.timeout(10):
        while (await process.get(execution)).status is not Status.COMPLETED:
            await process.runner(done).handle(delivery(execution))
            await asyncio.sleep(0.05)
    assert (await process.get(execution)).fence == 2
