"""Executions whose worker is gone: the attempt failed with it, and the next one is scheduled."""

from spine_common.core.execution import Execution, Status
from spine_common.core.ids import ExecutionId
from spine_common.framework import workflow
from spine_common.framework.lease import fail_expired
from spine_common.framework.ports.database import Transaction
from spine_common.framework.ports.ledger import Locked
from spine_common.framework.verdict import judge
from spine_scheduler.sweepers.sweep import MOST_AT_ONCE, Sweep, each


async def sweep(it: Sweep) -> int:
    """Fail attempts whose lease is long over; put back those whose worker let go of them.

    A worker that died has its message redelivered, and the next one takes over. This is for the
    rest: the message is lost too, or the worker hangs with it.
    """
    platform = it.platform
    async with platform.database.reading() as tx:
        expired = await tx.overdue.leases(it.grace, MOST_AT_ONCE)

    async def take_up(execution_id: ExecutionId) -> bool:
        async with platform.database.transaction() as tx:
            locked = await tx.ledger.lock(execution_id)
            if not _is_lost(locked):
                return False
            return await _move_on(it, tx, locked)

    return await each(expired, take_up, "leases")


def _is_lost(locked: Locked | None) -> bool:
    return (
        locked is not None
        and locked.execution.status is Status.RUNNING
        and locked.lease_seconds_left <= 0
    )


async def _move_on(it: Sweep, tx: Transaction, locked: Locked | None) -> bool:
    assert locked is not None  # noqa: S101 - narrows; see _is_lost
    execution: Execution = locked.execution
    if locked.lease_owner is None:
        # Stopped in good order: no attempt is lost, but its message may be.
        await workflow.order(tx, execution)
        await tx.ledger.set_lease(execution.execution_id, None, it.patience)
        return True
    failed = await fail_expired(tx, execution)
    it.platform.metrics.lease_expiries.inc()
    await judge(tx, it.platform.registry, it.platform.policy, failed)
    return True
