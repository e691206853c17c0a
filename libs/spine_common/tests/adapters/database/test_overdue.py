"""Whether what waits too long is found, what waits rightly is not, and one process leads."""

import asyncio

import pytest
from sqlalchemy import update

from spine_common.adapters.database.tables import execution_events, executions
from spine_common.adapters.database.types import db_now
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.contracts.commands import command_message
from spine_common.core.execution import EventType, Execution
from spine_common.core.pipeline import WORK_ROADS

from .builders import submitted

# Making rows older by hand leaves executions that their events don't tell.
pytestmark = pytest.mark.breaks_ledger

FAULT = {"kind": "transient", "code": "TIMEOUT", "message": "too slow"}
STARTED = {"attempt": 1, "fence": 1}


async def aged(database: SqlDatabase, seconds: float, *columns: str) -> None:
    """Make every execution that much older."""
    async with database.transaction() as tx:
        values = {name: db_now(-seconds) for name in columns}
        await tx._connection.execute(update(executions).values(values))


async def recorded(database: SqlDatabase, execution: Execution, *types: EventType) -> Execution:
    payloads = {EventType.STARTED: STARTED, EventType.FAILED: FAULT}
    async with database.transaction() as tx:
        for type_ in types:
            execution = await tx.ledger.record(execution, type_, payloads.get(type_, {}))
    return execution


async def leased(database: SqlDatabase, execution: Execution, seconds: float) -> Execution:
    started = await recorded(database, execution, EventType.STARTED)
    async with database.transaction() as tx:
        await tx.ledger.set_lease(started.execution_id, "worker", seconds)
    return started


async def test_only_a_lease_that_is_long_over_is_lost(database: SqlDatabase):
    over = await leased(database, await submitted(database, "over"), -20)
    await leased(database, await submitted(database, "just over"), -5)
    await leased(database, await submitted(database, "held"), 30)
    ended = await leased(database, await submitted(database, "ended"), -20)
    await recorded(database, ended, EventType.COMPLETED)

    async with database.reading() as tx:
        (found,) = await tx.overdue.leases(10, limit=10)
    assert found.execution_id == over.execution_id


async def test_a_lease_whose_command_is_on_its_way_again_is_not_lost(database: SqlDatabase):
    """Neither in the outbox nor once it was sent; then it is a command like every other."""
    over = await leased(database, await submitted(database), -20)
    async with database.transaction() as tx:
        await tx.outbox.add(command_message(over), execution_id=over.execution_id)
        assert await tx.overdue.leases(10, limit=10) == []
        rows = await tx.outbox.claim(limit=1, lease=30)
        await tx.ledger.record_queued(rows)
        await tx.outbox.mark_sent(rows)
        assert await tx.overdue.leases(10, limit=10) == []
        assert await tx.overdue.commands(60, WORK_ROADS, limit=10) == []
        assert await tx.overdue.commands(-1, WORK_ROADS, limit=10) == [over.execution_id]


async def test_commands_are_sought_on_the_roads_named_only(database: SqlDatabase):
    lost = await recorded(database, await submitted(database), EventType.QUEUED)
    elsewhere = [road for road in WORK_ROADS if road != (lost.stage, lost.lane)]

    async with database.reading() as tx:
        assert await tx.overdue.commands(-1, elsewhere, limit=10) == []
        assert await tx.overdue.commands(-1, [], limit=10) == []
        assert await tx.overdue.commands(-1, WORK_ROADS, limit=10, skip=1) == []
        assert await tx.overdue.commands(-1, WORK_ROADS, limit=10) == [lost.execution_id]


async def test_what_was_let_go_of_is_no_lost_lease_but_a_command_not_begun(database: SqlDatabase):
    held = await leased(database, await submitted(database), 30)
    async with database.transaction() as tx:
        await tx.ledger.let_go(held.execution_id)
    await asyncio.sleep(0.01)

    async with database.transaction() as tx:
        assert await tx.overdue.leases(-1, limit=10) == []
        (found,) = await tx.overdue.commands(-1, WORK_ROADS, limit=10)
        locked = await tx.ledger.lock(held.execution_id)
    assert found == held.execution_id
    assert locked is not None
    assert locked.lease_owner is None


async def test_a_sent_command_nobody_began_is_found_and_one_in_the_outbox_is_not(
    database: SqlDatabase,
):
    lost = await recorded(database, await submitted(database, "lost"), EventType.QUEUED)
    waiting = await submitted(database, "waiting")
    begun = await submitted(database, "begun")
    await recorded(database, begun, EventType.STARTED)
    async with database.transaction() as tx:
        await tx.outbox.add(command_message(waiting), execution_id=waiting.execution_id, delay=900)
    async with database.reading() as tx:
        assert await tx.overdue.commands(60, WORK_ROADS, limit=10) == []
    await aged(database, 120, "created_at")

    async with database.reading() as tx:
        found = await tx.overdue.commands(60, WORK_ROADS, limit=10)

    assert found == [lost.execution_id]


async def test_what_was_sent_just_now_is_not_overdue_however_old_it_is(database: SqlDatabase):
    execution = await submitted(database)
    async with database.transaction() as tx:
        await tx.outbox.add(command_message(execution), execution_id=execution.execution_id)
        rows = await tx.outbox.claim(limit=1, lease=30)
        await tx.ledger.record_queued(rows)
        await tx.outbox.mark_sent(rows)
    await aged(database, 900, "created_at")

    async with database.reading() as tx:
        assert await tx.overdue.commands(60, WORK_ROADS, limit=10) == []
    await aged(database, 900, "sent_at")
    async with database.reading() as tx:
        assert len(await tx.overdue.commands(60, WORK_ROADS, limit=10)) == 1


async def test_sending_a_command_again_is_noted_though_its_status_stays(database: SqlDatabase):
    execution = await recorded(database, await submitted(database), EventType.QUEUED)
    await aged(database, 900, "sent_at")
    async with database.transaction() as tx:
        await tx.outbox.add(command_message(execution), execution_id=execution.execution_id)
        rows = await tx.outbox.claim(limit=1, lease=30)
        await tx.ledger.record_queued(rows)
        await tx.outbox.mark_sent(rows)

    async with database.reading() as tx:
        assert await tx.overdue.commands(60, WORK_ROADS, limit=10) == []
        assert await tx.ledger.get(execution.execution_id) == execution


async def test_a_failure_without_a_verdict_is_found_after_a_while(database: SqlDatabase):
    execution = await submitted(database)
    await recorded(database, execution, EventType.STARTED, EventType.FAILED)

    async with database.reading() as tx:
        assert await tx.overdue.verdicts(60, limit=10) == []
        assert await tx.overdue.verdicts(-1, limit=10) == [execution.execution_id]


async def test_a_parent_waits_for_its_children_and_is_no_lost_command(database: SqlDatabase):
    parent = await submitted(database, "parent")
    child = await submitted(database, "child", parent_id=parent.execution_id)
    await aged(database, 900, "created_at")
    async with database.reading() as tx:
        assert await tx.overdue.parents(10) == []
        unclaimed = await tx.overdue.commands(60, WORK_ROADS, limit=10)
    assert unclaimed == [child.execution_id]

    await recorded(database, child, EventType.SKIPPED)

    async with database.reading() as tx:
        assert await tx.overdue.parents(10) == [parent.execution_id]


async def test_one_process_leads_at_a_time(database: SqlDatabase, another: SqlDatabase):
    async with (
        database.leading("sweeper") as first,
        another.leading("sweeper") as second,
        another.leading("other") as other,
    ):
        assert (first, other) == (True, True)
        # On SQLite two may lead: their writes take turns as they are.
        assert second is (database._engine.dialect.name == "sqlite")
    async with another.leading("sweeper") as after:
        assert after


async def test_events_are_what_an_overdue_verdict_is_judged_by(database: SqlDatabase):
    execution = await submitted(database)
    await recorded(database, execution, EventType.STARTED, EventType.FAILED)
    await aged(database, 900, "created_at", "started_at")

    async with database.reading() as tx:
        assert await tx.overdue.verdicts(60, limit=10) == []
        rows = await tx._connection.execute(execution_events.select())
    assert len(rows.all()) == 3
