"""Whether a lease keeps others away, its end lets them in, and the fence keeps the late one out."""

import asyncio
import contextlib
from datetime import datetime

import pytest
from sqlalchemy import select

from spine_common.adapters.database.tables import executions
from spine_common.contracts.commands import Command
from spine_common.core.execution import EventType, Execution, Status
from spine_common.framework.context import StageContext
from spine_common.framework.lease import LeaseTerms, heartbeat
from spine_common.framework.outcome import Done, Failed, PutBack, Stale
from spine_common.framework.ports.bus import Verdict
from spine_common.framework.ports.queries import Window
from spine_common.framework.stage import StageOutput

from .builders import LINES, Bench, delivery, ingest, sales_key
from .conftest import EXPIRED, Process, until


async def lease_until(process: Process, execution: Execution) -> datetime:
    async with process.database.reading() as tx:
        found = await tx._connection.scalar(
            select(executions.c.lease_until).where(
                executions.c.execution_id == execution.execution_id
            )
        )
    assert isinstance(found, datetime)
    return found


async def taken_over(process: Process, execution: Execution) -> None:
    """Let another worker claim the execution, as if the lease had been over."""
    async with process.database.transaction() as tx:
        locked = await tx.ledger.lock(execution.execution_id)
        assert locked is not None
        fence = {"fence": locked.execution.fence + 1, "attempt": locked.execution.attempt}
        await tx.ledger.record(locked.execution, EventType.STARTED, fence)


async def test_under_a_live_lease_the_command_is_put_back(process: Process):
    bench = Bench()
    execution = await process.dispatcher.submit("suite.work")
    async with process.database.transaction() as tx:
        sent = await tx.outbox.claim(limit=1, lease=30)
    working = asyncio.create_task(process.runner(bench).handle(delivery(execution)))
    await bench.arrived.wait()

    verdict = await process.runner(bench, owner="other").handle(delivery(execution))

    async with process.database.transaction() as tx:
        await tx.outbox.mark_sent(sent)  # by a relay that knows nothing of it
        waiting = await tx.outbox.depth()
        assert await tx.outbox.claim(limit=1, lease=30) == []
    (handled,) = process.handled
    assert verdict is Verdict.ACK
    assert isinstance(handled.outcome, PutBack)
    assert 20 < handled.outcome.seconds <= 30
    assert waiting == (1, 0.0)
    assert len(bench.arrivals) == 1
    bench.leave.set()
    assert await working is Verdict.ACK


async def test_an_expired_lease_is_taken_over_under_a_higher_fence(process: Process):
    dead = Bench()
    execution = await process.dispatcher.submit("suite.work")
    zombie = asyncio.create_task(process.runner(dead, seconds=EXPIRED).handle(delivery(execution)))
    await dead.arrived.wait()

    await process.runner(owner="other").handle(delivery(execution))
    dead.leave.set()

    assert await zombie is Verdict.ACK
    ended = await process.get(execution)
    owners = [
        event.payload["owner"]
        for event in await process.events(execution)
        if event.type is EventType.STARTED
    ]
    assert (ended.status, ended.fence, ended.result) == (Status.COMPLETED, 2, {"done": True})
    assert owners == ["worker", "other"]
    assert [type(handled.outcome) for handled in process.handled] == [Done, Stale]


async def test_a_zombies_commit_is_refused_and_writes_nothing(shop: Process):
    gate = Bench()

    async def late(command: Command, context: StageContext) -> StageOutput:
        output = await ingest(command, context)
        await gate(command, context)
        return output

    path = shop.folder / "sales.txt"
    path.write_text("what the zombie read 1")
    params = {**sales_key(), "file_path": str(path)}
    execution = await shop.dispatcher.submit("shop.ingest", params)
    zombie = asyncio.create_task(shop.runner(late, seconds=EXPIRED).handle(delivery(execution)))
    await gate.arrived.wait()
    path.write_text("tea 1")
    await shop.runner(ingest).handle(delivery(execution))
    before = await shop.get(execution)

    gate.leave.set()

    assert await zombie is Verdict.ACK
    async with shop.database.reading() as tx:
        captures = await tx.queries.captures("shop.sales", window=Window())
        latest = await tx.captures.get(captures.rows[0]["capture_id"])
        lines = await tx.queries.rows(LINES, latest, window=Window())
        assert (await tx.outbox.depth())[0] == 2  # the command itself and one event
    assert captures.total == 1
    assert [line["text"] for line in lines.rows] == ["tea 1"]
    assert await shop.get(execution) == before


async def test_a_zombies_failure_is_not_recorded(process: Process):
    gate = Bench()

    async def late(command: Command, context: StageContext) -> StageOutput:
        await gate(command, context)
        raise OSError

    execution = await process.dispatcher.submit("suite.work")
    zombie = asyncio.create_task(process.runner(late, seconds=EXPIRED).handle(delivery(execution)))
    await gate.arrived.wait()
    await taken_over(process, execution)

    gate.leave.set()

    assert await zombie is Verdict.ACK
    assert (await process.get(execution)).status is Status.RUNNING


async def test_a_heartbeat_renews_the_lease_while_the_stage_works(process: Process):
    bench = Bench()
    execution = await process.dispatcher.submit("suite.work")
    working = asyncio.create_task(process.runner(bench, heartbeat=0.02).handle(delivery(execution)))
    await bench.arrived.wait()
    first = await lease_until(process, execution)

    async def renewed() -> bool:
        return await lease_until(process, execution) > first

    await until(renewed)
    bench.leave.set()

    assert await working is Verdict.ACK
    assert (await process.get(execution)).status is Status.COMPLETED


async def test_a_stage_whose_execution_was_taken_over_is_stopped(process: Process):
    bench = Bench()
    execution = await process.dispatcher.submit("suite.work")
    working = asyncio.create_task(process.runner(bench, heartbeat=0.02).handle(delivery(execution)))
    await bench.arrived.wait()

    await taken_over(process, execution)

    async with asyncio.timeout(10):
        assert await working is Verdict.ACK
    assert bench.stopped == 1
    assert isinstance(process.handled[0].outcome, Stale)
    assert (await process.get(execution)).status is Status.RUNNING


async def test_a_stage_whose_execution_was_cancelled_is_stopped(process: Process):
    bench = Bench()
    execution = await process.dispatcher.submit("suite.work")
    working = asyncio.create_task(process.runner(bench, heartbeat=0.02).handle(delivery(execution)))
    await bench.arrived.wait()

    async with process.database.transaction() as tx:
        locked = await tx.ledger.lock(execution.execution_id)
        assert locked is not None
        await tx.ledger.record(locked.execution, EventType.CANCELLED)

    async with asyncio.timeout(10):
        assert await working is Verdict.ACK
    assert bench.stopped == 1
    assert (await process.get(execution)).status is Status.CANCELLED


async def test_a_shutdown_is_not_mistaken_for_a_lost_lease(process: Process):
    bench = Bench()
    execution = await process.dispatcher.submit("suite.work")
    working = asyncio.create_task(process.runner(bench, heartbeat=0.02).handle(delivery(execution)))
    await bench.arrived.wait()
    await taken_over(process, execution)

    working.cancel()

    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_shutdown_after_the_lease_was_lost_is_still_a_shutdown(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    async with process.database.transaction() as tx:
        claimed = await tx.ledger.record(execution, EventType.STARTED, {"fence": 1})
        cancelled = await tx.ledger.record(claimed, EventType.CANCELLED)
    assert not cancelled.is_open

    async def work() -> None:
        async with heartbeat(process.database, claimed, LeaseTerms(heartbeat=0.01)):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                working.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
                raise

    working = asyncio.create_task(work())

    with pytest.raises(asyncio.CancelledError):
        await working


async def test_a_command_that_kills_its_workers_is_not_taken_over_for_ever(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    for number in range(3):
        await process.lose_a_worker(execution, f"worker-{number}")

    verdict = await process.runner().handle(delivery(execution))

    (handled,) = process.handled
    assert verdict is Verdict.REJECT
    assert isinstance(handled.outcome, Failed)
    assert (handled.outcome.code, handled.outcome.kind) == ("LEASE_EXPIRED", "transient")
    assert (await process.get(execution)).status is Status.FAILED


async def test_workers_that_were_asked_to_stop_are_no_sign_of_poison(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    for _ in range(10):
        bench = Bench()
        working = asyncio.create_task(process.runner(bench).handle(delivery(execution)))
        await bench.arrived.wait()
        working.cancel()
        await asyncio.wait([working])

    assert await process.runner().handle(delivery(execution)) is Verdict.ACK

    assert (await process.get(execution)).status is Status.COMPLETED
    starts = [event for event in await process.events(execution) if event.type == "started"]
    assert len(starts) == 11
    assert not any("lost" in start.payload for start in starts)
