"""Whether an execution can be stopped in every state, and ends once whoever else ends it, too."""

import asyncio

import pytest

from spine_common.core.errors import ExecutionNotFound, NotCancellable, SourceNotFound
from spine_common.core.execution import TERMINAL_EVENTS, EventType, Execution, Status
from spine_common.core.ids import new_execution_id
from spine_common.framework import workflow
from spine_common.framework.cancel import cancel, cancel_children, cancel_orphan
from spine_common.framework.outcome import Done, Stale
from spine_common.framework.ports.bus import Verdict
from spine_common.framework.ports.ledger import OutboxRow

from .builders import REGISTRY, SHOP_STAGES, Bench, delivery, done, failing, sales_key
from .conftest import Process

FAILURE = {"kind": "transient", "code": "OSError", "message": "no", "attempt": 1}


async def stop(process: Process, execution: Execution, reason: str = "") -> Execution:
    return await cancel(process.database, REGISTRY, execution.execution_id, reason)


async def ends(process: Process, execution: Execution) -> list[str]:
    events = await process.events(execution)
    return [event.type.value for event in events if event.type in TERMINAL_EVENTS]


async def as_it_was(process: Process, status: Status) -> Execution:
    """Return an execution in a state that is open."""
    execution = await process.dispatcher.submit("suite.work")
    steps: dict[Status, list[tuple[EventType, dict[str, object]]]] = {
        Status.PENDING: [],
        Status.QUEUED: [(EventType.QUEUED, {})],
        Status.RUNNING: [(EventType.STARTED, {"attempt": 1, "fence": 1})],
        Status.FAILED: [
            (EventType.STARTED, {"attempt": 1, "fence": 1}),
            (EventType.FAILED, FAILURE),
        ],
        Status.RETRY_SCHEDULED: [
            (EventType.STARTED, {"attempt": 1, "fence": 1}),
            (EventType.FAILED, FAILURE),
            (EventType.RETRY_SCHEDULED, {"attempt": 2}),
        ],
    }
    async with process.database.transaction() as tx:
        for type_, payload in steps[status]:
            execution = await tx.ledger.record(execution, type_, payload)
    assert execution.status is status
    return execution


@pytest.mark.parametrize("status", ["pending", "queued", "running", "failed", "retry_scheduled"])
async def test_an_open_execution_can_be_cancelled_whatever_its_state(process: Process, status: str):
    execution = await as_it_was(process, Status(status))

    cancelled = await stop(process, execution, "ordered by mistake")

    assert cancelled.status is Status.CANCELLED
    assert (await process.events(execution))[-1].payload == {"reason": "ordered by mistake"}
    async with process.database.reading() as tx:
        assert (await tx.outbox.depth())[0] == 0


async def test_cancelling_twice_is_once(process: Process):
    execution = await process.dispatcher.submit("suite.work")

    first, second = await stop(process, execution), await stop(process, execution)

    assert first.status is second.status is Status.CANCELLED
    assert await ends(process, execution) == ["cancelled"]


async def test_what_has_ended_can_not_be_cancelled(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    await process.runner().handle(delivery(execution))

    with pytest.raises(NotCancellable, match="completed"):
        await stop(process, execution)


async def test_what_is_unknown_can_not_be_cancelled(process: Process):
    with pytest.raises(ExecutionNotFound):
        await cancel(process.database, REGISTRY, new_execution_id())


async def test_a_command_on_its_way_finds_nothing_to_do(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    await stop(process, execution)

    assert await process.runner().handle(delivery(execution)) is Verdict.ACK

    (handled,) = process.handled
    assert isinstance(handled.outcome, Stale)


async def test_a_relay_that_had_the_command_in_hand_marks_nothing(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    async with process.database.transaction() as tx:
        rows: list[OutboxRow] = await tx.outbox.claim(limit=10, lease=30)
    await stop(process, execution)

    async with process.database.transaction() as tx:
        await tx.ledger.record_queued(rows)
        await tx.outbox.mark_sent(rows)

    assert (await process.get(execution)).status is Status.CANCELLED


async def test_a_worker_notices_at_its_next_heartbeat(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    bench = Bench()
    runner = process.runner(bench, heartbeat=0.02)
    working = asyncio.create_task(runner.handle(delivery(execution)))
    await bench.arrived.wait()

    await stop(process, execution)

    assert await asyncio.wait_for(working, 10) is Verdict.ACK
    assert bench.stopped == 1
    assert await ends(process, execution) == ["cancelled"]


async def test_a_worker_that_did_not_notice_can_not_commit(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    bench = Bench()
    working = asyncio.create_task(process.runner(bench).handle(delivery(execution)))
    await bench.arrived.wait()
    await stop(process, execution)

    bench.leave.set()

    assert await working is Verdict.ACK
    assert isinstance(process.handled[0].outcome, Stale)
    assert await ends(process, execution) == ["cancelled"]


async def test_cancelled_or_completed_but_never_both(process: Process):
    outcomes = set()
    for number in range(25):
        execution = await process.dispatcher.submit("suite.work", {"n": number})
        running = process.runner(done).handle(delivery(execution))

        async def late(one: Execution = execution, pause: float = number * 0.0008) -> None:
            await asyncio.sleep(pause)
            await stop(process, one)

        await asyncio.gather(running, late(), return_exceptions=True)
        (end,) = await ends(process, execution)
        outcomes.add(end)
    assert outcomes <= {"cancelled", "completed"}
    assert any(isinstance(handled.outcome, Done | Stale) for handled in process.handled)


async def test_cancelling_a_parent_cancels_its_open_children(shop: Process):
    order = {**sales_key(), "file_path": "sales.txt"}
    parent = await shop.dispatcher.submit("shop.process", order)

    await stop(shop, parent)

    (child,) = await shop.children(parent)
    assert child.status is Status.CANCELLED
    assert (await shop.get(parent)).status is Status.CANCELLED
    async with shop.database.reading() as tx:
        assert (await tx.outbox.depth())[0] == 0


async def test_nothing_follows_in_a_cancelled_workflow(shop: Process):
    path = shop.folder / "sales.txt"
    path.write_text("tea 2")
    parent = await shop.dispatcher.submit("shop.process", {**sales_key(), "file_path": str(path)})
    (child,) = await shop.children(parent)
    async with shop.database.transaction() as tx:
        # As a process leaves it that dies between the parent and its children.
        locked = await tx.ledger.lock(parent.execution_id)
        assert locked is not None
        await tx.ledger.record(locked.execution, EventType.CANCELLED)

    await shop.runner(SHOP_STAGES).handle(delivery(child))

    assert (await shop.get(child)).status is Status.COMPLETED
    assert len(await shop.children(parent)) == 1
    assert await cancel_children(shop.database, REGISTRY, parent.execution_id) == 0


async def test_an_orphan_is_cancelled_where_its_parent_was(shop: Process):
    parent = await shop.dispatcher.submit("shop.process", {**sales_key(), "file_path": "x"})
    (child,) = await shop.children(parent)
    async with shop.database.transaction() as tx:
        locked = await tx.ledger.lock(parent.execution_id)
        assert locked is not None
        await tx.ledger.record(locked.execution, EventType.CANCELLED)
    async with shop.database.reading() as tx:
        assert await tx.overdue.orphans(10) == [child.execution_id]

    assert await cancel_orphan(shop.database, REGISTRY, child.execution_id)

    async with shop.database.reading() as tx:
        assert await tx.overdue.orphans(10) == []


async def test_a_cancelled_child_ends_its_parent(shop: Process):
    parent = await shop.dispatcher.submit("shop.process", {**sales_key(), "file_path": "x"})
    (child,) = await shop.children(parent)

    await stop(shop, child)

    assert (await shop.get(parent)).status is Status.CANCELLED
    assert await ends(shop, parent) == ["cancelled"]


async def test_a_parent_left_open_by_its_children_is_ended_later(shop: Process):
    parent = await shop.dispatcher.submit("shop.process", {**sales_key(), "file_path": "x"})
    (child,) = await shop.children(parent)
    async with shop.database.transaction() as tx:
        # Ended by hand, and nobody told the parent.
        await tx.ledger.record(child, EventType.CANCELLED)
    async with shop.database.reading() as tx:
        assert await tx.overdue.parents(10) == [parent.execution_id]

    async with shop.database.transaction() as tx:
        resumed = await workflow.resume(tx, REGISTRY, parent.execution_id)

    assert resumed is not None
    assert resumed.status is Status.CANCELLED
    async with shop.database.transaction() as tx:
        assert await workflow.resume(tx, REGISTRY, parent.execution_id) is None


async def test_a_failure_that_waits_for_its_verdict_can_be_cancelled(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    await process.runner(failing(SourceNotFound("none"))).handle(delivery(execution))
    await stop(process, execution)

    await process.desk.handle(delivery(execution, queue="spine.dlq"))

    assert await ends(process, execution) == ["cancelled"]
