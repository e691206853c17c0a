"""Whether a lease lasts as long as the database's clock says, and for its owner alone."""

import asyncio
from datetime import timedelta

import time_machine

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.clock import utc_now
from spine_common.core.execution import EventType, Execution
from spine_common.core.ids import ExecutionId, Fence

from .builders import submitted


async def running(database: SqlDatabase, *, fence: int = 1) -> Execution:
    execution = await submitted(database)
    async with database.transaction() as tx:
        return await tx.ledger.record(execution, EventType.STARTED, {"fence": fence})


async def lease_left(database: SqlDatabase, execution_id: ExecutionId) -> float:
    async with database.transaction() as tx:
        locked = await tx.ledger.lock(execution_id)
    assert locked is not None
    return locked.lease_seconds_left


async def test_without_a_lease_nothing_is_left_of_it(database: SqlDatabase):
    execution = await running(database)

    assert await lease_left(database, execution.execution_id) == 0


async def test_a_lease_lasts_for_its_seconds(database: SqlDatabase):
    execution = await running(database)
    async with database.transaction() as tx:
        await tx.ledger.set_lease(execution.execution_id, "worker", 60.0)

    assert 55 < await lease_left(database, execution.execution_id) <= 60


async def test_an_expired_lease_has_less_than_nothing_left(database: SqlDatabase):
    execution = await running(database)
    async with database.transaction() as tx:
        await tx.ledger.set_lease(execution.execution_id, "worker", -5.0)

    assert -10 < await lease_left(database, execution.execution_id) <= -5


async def test_a_workers_wrong_clock_moves_no_lease(database: SqlDatabase):
    execution = await running(database)

    with time_machine.travel(utc_now() + timedelta(days=400)):
        async with database.transaction() as tx:
            await tx.ledger.set_lease(execution.execution_id, "worker", 60.0)

    assert 55 < await lease_left(database, execution.execution_id) <= 60


async def test_a_released_lease_is_gone(database: SqlDatabase):
    execution = await running(database)
    async with database.transaction() as tx:
        await tx.ledger.set_lease(execution.execution_id, "worker", 60.0)
        await tx.ledger.release(execution.execution_id)

    assert await lease_left(database, execution.execution_id) == 0


async def test_a_renewed_lease_lasts_from_now(database: SqlDatabase):
    execution = await running(database)
    async with database.transaction() as tx:
        await tx.ledger.set_lease(execution.execution_id, "worker", 1.0)
        assert await tx.ledger.renew(execution.execution_id, execution.fence, 60.0)

    assert 55 < await lease_left(database, execution.execution_id) <= 60


async def test_an_old_fence_renews_nothing(database: SqlDatabase):
    execution = await running(database, fence=2)

    async with database.transaction() as tx:
        assert not await tx.ledger.renew(execution.execution_id, Fence(1), 60.0)
    assert await lease_left(database, execution.execution_id) == 0


async def test_an_ended_execution_is_not_renewed(database: SqlDatabase):
    for end in (EventType.COMPLETED, EventType.SKIPPED, EventType.CANCELLED):
        execution = await running(database)
        async with database.transaction() as tx:
            await tx.ledger.record(execution, end)
            assert not await tx.ledger.renew(execution.execution_id, execution.fence, 60.0)


async def test_a_failed_attempt_is_not_renewed(database: SqlDatabase):
    execution = await running(database)
    async with database.transaction() as tx:
        cause = {"kind": "transient", "code": "X", "message": "x"}
        await tx.ledger.record(execution, EventType.FAILED, cause)

    async with database.transaction() as tx:
        assert not await tx.ledger.renew(execution.execution_id, execution.fence, 60.0)


async def test_a_locked_execution_waits_for_the_other_transaction(
    database: SqlDatabase, another: SqlDatabase
):
    execution = await submitted(database)
    seen: list[int] = []

    async def look() -> None:
        async with another.transaction() as tx:
            locked = await tx.ledger.lock(execution.execution_id)
        assert locked is not None
        seen.append(locked.execution.seq)

    async with database.transaction() as tx:
        locked = await tx.ledger.lock(execution.execution_id)
        assert locked is not None
        looking = asyncio.create_task(look())
        await tx.ledger.record(locked.execution, EventType.QUEUED)
        await asyncio.wait([looking], timeout=0.2)
        assert not looking.done()
    await looking

    assert seen == [2]
