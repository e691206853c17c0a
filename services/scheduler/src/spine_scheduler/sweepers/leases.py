"""Executions whose worker is gone: the attempt failed with it, and the next one is scheduled."""

from spine_common.core.execution import Status
from spine_common.core.ids import ExecutionId
from spine_common.framework.lease import fail_expired
from spine_scheduler.sweepers.sweep import MOST_AT_ONCE, Sweep, each


async def sweep(it: Sweep) -> int:
    """Fail attempts whose lease is long over, and give them their verdict.

    A worker that died has its message redelivered, and the next one takes over. This is for the
    rest: the message is lost too, or the worker hangs with it.
    """
    platform = it.platform
    async with platform.database.reading() as tx:
        expired = await tx.overdue.leases(it.grace, MOST_AT_ONCE)

    async def take_up(execution_id: ExecutionId) -> bool:
        async with platform.database.transaction() as tx:
            locked = await tx.ledger.lock(execution_id)
            if (
                locked is None
                or locked.execution.status is not Status.RUNNING
                or locked.lease_seconds_left > 0
            ):
                return False
            failed = await fail_expired(tx, locked.execution)
            await it.judge(tx, failed)
        platform.metrics.lease_expiries.inc()
        return True

    return await each(expired, take_up, "leases")
