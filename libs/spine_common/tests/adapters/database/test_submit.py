"""Whether an order becomes one execution, however often and from wherever it comes."""

import asyncio

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import child_execution_id
from spine_common.core.pipeline import Lane, Stage, TriggerSource
from spine_common.framework.ports.database import Database

from .builders import order, submitted


async def test_submit_records_pending_and_the_first_event(database: SqlDatabase):
    new = order("k", params={"day": "2025-11-14", "n": 3}, partition_key="day=2025-11-14")
    async with database.transaction() as tx:
        execution, is_new = await tx.ledger.submit(new)

    async with database.reading() as tx:
        stored = await tx.ledger.get(new.execution_id)
        events = await tx.ledger.events(new.execution_id)
    assert is_new
    assert stored == execution
    assert (execution.status, execution.attempt, execution.fence) == (Status.PENDING, 1, 0)
    assert [(event.seq, event.type) for event in events] == [(1, EventType.SUBMITTED)]


async def test_an_execution_keeps_its_words_as_types(database: SqlDatabase):
    execution = await submitted(database, lane=Lane.BACKFILL, trigger_source=TriggerSource.CLI)

    async with database.reading() as tx:
        stored = await tx.ledger.get(execution.execution_id)
    assert stored is not None
    assert type(stored.stage) is Stage
    assert type(stored.lane) is Lane
    assert type(stored.trigger_source) is TriggerSource
    assert type(stored.status) is Status


async def test_the_same_key_while_open_is_the_same_execution(database: SqlDatabase):
    first = await submitted(database, "k")

    async with database.transaction() as tx:
        again, is_new = await tx.ledger.submit(order("k", params={"other": 1}))

    assert not is_new
    assert again == first


async def test_the_same_key_after_the_end_is_a_new_execution(database: SqlDatabase):
    seen = set()
    for steps in (
        (EventType.STARTED, EventType.COMPLETED),
        (EventType.STARTED, EventType.SKIPPED),
        (EventType.STARTED, EventType.DEAD_LETTERED),
        (EventType.CANCELLED,),
    ):
        execution = await submitted(database, "k")
        seen.add(execution.execution_id)
        async with database.transaction() as tx:
            for step in steps:
                execution = await tx.ledger.record(execution, step)

    assert len(seen) == 4


async def test_a_failed_execution_is_still_open(database: SqlDatabase):
    first = await submitted(database, "k")
    async with database.transaction() as tx:
        started = await tx.ledger.record(first, EventType.STARTED)
        cause = {"kind": "transient", "code": "X", "message": "x"}
        await tx.ledger.record(started, EventType.FAILED, cause)

    async with database.transaction() as tx:
        again, is_new = await tx.ledger.submit(order("k"))

    assert not is_new
    assert again.execution_id == first.execution_id


async def test_concurrent_submits_of_one_key_give_one_execution(
    database: SqlDatabase, another: SqlDatabase
):
    async def submit(where: Database) -> tuple[Execution, bool]:
        async with where.transaction() as tx:
            return await tx.ledger.submit(order("k"))

    answers = await asyncio.gather(*(submit(where) for where in (database, another) * 4))

    assert len({execution.execution_id for execution, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1


async def test_different_keys_are_different_executions(database: SqlDatabase):
    one, two = await submitted(database, "k1"), await submitted(database, "k2")

    assert one.execution_id != two.execution_id


async def test_a_derived_id_is_one_execution_even_after_its_end(database: SqlDatabase):
    parent = await submitted(database, "parent")
    derived = child_execution_id(parent.execution_id, "step")
    child = await submitted(database, "step", execution_id=derived)
    async with database.transaction() as tx:
        running = await tx.ledger.record(child, EventType.STARTED)
        completed = await tx.ledger.record(running, EventType.COMPLETED)

    async with database.transaction() as tx:
        again, is_new = await tx.ledger.submit(order("step", execution_id=derived))

    assert not is_new
    assert again == completed


async def test_children_come_oldest_first_and_recent_newest_first(database: SqlDatabase):
    parent = await submitted(database, "parent")
    ids = [
        (await submitted(database, f"step {n}", parent_id=parent.execution_id)).execution_id
        for n in range(3)
    ]

    async with database.reading() as tx:
        children = await tx.ledger.children(parent.execution_id)
        recent = await tx.ledger.recent(limit=2)
    assert [child.execution_id for child in children] == ids
    assert [execution.execution_id for execution in recent] == ids[:0:-1]


async def test_recent_picks_by_status_and_pipeline(database: SqlDatabase):
    pending = await submitted(database, "1", pipeline="suite.a")
    other = await submitted(database, "2", pipeline="suite.b")
    async with database.transaction() as tx:
        await tx.ledger.record(other, EventType.CANCELLED)

    async with database.reading() as tx:
        assert await tx.ledger.recent(status="pending") == [pending]
        (cancelled,) = await tx.ledger.recent(pipeline="suite.b", status="cancelled")
        assert await tx.ledger.recent(pipeline="suite.b", status="pending") == []
    assert cancelled.execution_id == other.execution_id
