"""Commands the broker confirmed and then lost: published again, while their queue is empty."""

from spine_common.contracts.routing import work_queue
from spine_common.core.execution import Status
from spine_common.framework import workflow
from spine_common.framework.ports.ledger import Locked
from spine_common.framework.ports.overdue import Unclaimed
from spine_scheduler.sweepers.sweep import MOST_AT_ONCE, Sweep, each

_NOT_BEGUN = frozenset({Status.PENDING, Status.QUEUED, Status.RETRY_SCHEDULED})


async def sweep(it: Sweep) -> int:
    """Put commands back into the outbox that nobody claimed although nothing is before them.

    A queue that is not empty says nothing about a single message: while workers are away or
    behind, everything waits. A command that was not lost after all is a duplicate, and harmless.
    """
    platform = it.platform
    async with platform.database.reading() as tx:
        unclaimed = await tx.overdue.commands(it.patience, MOST_AT_ONCE)
    queues = {work_queue(command.stage, command.lane) for command in unclaimed}
    empty = {queue for queue in queues if await platform.bus.waiting(queue) == 0}

    async def take_up(command: Unclaimed) -> bool:
        async with platform.database.transaction() as tx:
            locked = await tx.ledger.lock(command.execution_id)
            if locked is None or not _is_for_the_next(locked):
                return False
            await workflow.order(tx, locked.execution)
        return True

    lost = [one for one in unclaimed if work_queue(one.stage, one.lane) in empty]
    moved = await each(lost, take_up, "commands")
    if moved:
        platform.relay.nudge()
    return moved


def _is_for_the_next(locked: Locked) -> bool:
    """Whether nobody has begun it, or whoever had has let go of it."""
    status = locked.execution.status
    let_go = locked.lease_owner is None and locked.lease_seconds_left <= 0
    return status in _NOT_BEGUN or (status is Status.RUNNING and let_go)
