"""Failed attempts whose dead letter got lost: judged all the same, the letter written anew."""

from spine_common.contracts.routing import DEAD_LETTER_QUEUE
from spine_common.core.execution import Status
from spine_common.core.ids import ExecutionId
from spine_scheduler.sweepers.sweep import Sweep, through


async def sweep(it: Sweep) -> int:
    """Judge executions that failed a while ago while no dead letter waits for its verdict."""
    platform = it.platform
    if await platform.bus.waiting(DEAD_LETTER_QUEUE) > 0:
        return 0

    async def take_up(execution_id: ExecutionId) -> bool:
        async with platform.database.transaction() as tx:
            locked = await tx.ledger.lock(execution_id, wait=False)
            if locked is None or locked.execution.status is not Status.FAILED:
                return False
            await it.judge(tx, locked.execution)
        return True

    ask = it.asking(lambda overdue, *page: overdue.verdicts(it.patience, *page))
    return await through(ask, take_up, "verdicts")
