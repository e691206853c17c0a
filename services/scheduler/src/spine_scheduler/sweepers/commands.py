"""Commands the broker confirmed and then lost: published again, while their queue is empty."""

from spine_common.core.execution import Status
from spine_common.core.ids import ExecutionId
from spine_common.framework import workflow
from spine_common.framework.ports.ledger import Locked
from spine_scheduler.sweepers.sweep import Sweep, through

_NOT_BEGUN = frozenset({Status.PENDING, Status.QUEUED, Status.RETRY_SCHEDULED})


async def sweep(it: Sweep) -> int:
    """Put commands back into the outbox that nobody claimed although nothing is before them.

    A queue that is not empty says nothing about a single message: while workers are away or
    behind, everything waits. A command that was not lost after all is a duplicate, and harmless.
    """
    platform = it.platform
    # Asked of the broker first: what waits in a long queue must not hide what is lost elsewhere.
    empty = await it.empty_roads()
    if not empty:
        return 0

    async def take_up(execution_id: ExecutionId) -> bool:
        async with platform.database.transaction() as tx:
            locked = await tx.ledger.lock(execution_id, wait=False)
            if locked is None or not _is_for_the_next(locked):
                return False
            await workflow.order(tx, locked.execution)
        return True

    ask = it.asking(lambda overdue, *page: overdue.commands(it.patience, empty, *page))
    moved = await through(ask, take_up, "commands")
    if moved:
        platform.relay.nudge()
    return moved


def _is_for_the_next(locked: Locked) -> bool:
    """Whether nobody has begun it, or whoever had is at it no longer."""
    status = locked.execution.status
    return status in _NOT_BEGUN or (status is Status.RUNNING and locked.lease_seconds_left <= 0)
