"""How an execution is stopped, in whatever state it is: its row lock decides who was first."""

import structlog

from spine_common.core.errors import ExecutionNotFound, NotCancellable
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import TriggerSource
from spine_common.framework import workflow
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.ports.database import Database
from spine_common.framework.registry import Registry

log = structlog.get_logger(__name__)


async def cancel(
    database: Database, registry: Registry, execution_id: ExecutionId, reason: str = ""
) -> Execution:
    """Cancel an execution and its open children; cancelling twice is once.

    A worker at it loses its fence: it stops at the next heartbeat, and can't commit. Raises
    ``ExecutionNotFound``, and ``NotCancellable`` when it had ended otherwise before.
    """
    cancelled = await _cancel_one(database, registry, execution_id, reason)
    if cancelled.status is not Status.CANCELLED:
        raise NotCancellable(
            f"Execution {execution_id} is {cancelled.status} already.",
            remedy="Only open executions can be cancelled.",
        )
    await reached(Failpoint.CANCEL_BETWEEN)
    await cancel_children(database, registry, execution_id)
    return cancelled


async def cancel_children(database: Database, registry: Registry, execution_id: ExecutionId) -> int:
    """Cancel what is open below an execution that is cancelled; return how many that was.

    Each in a transaction of its own: whoever ends a child locks the child before its parent, and
    to do the opposite here would be a deadlock. The parent is cancelled first, so nothing follows
    any more; a sweeper ends what a process that died in between has left.
    """
    async with database.reading() as tx:
        children = await tx.ledger.children(execution_id)
    ended = 0
    for child in children:
        if child.trigger_source is TriggerSource.DLQ:
            continue
        if child.is_open:
            because = f"its parent {execution_id} was cancelled"
            after = await _cancel_one(database, registry, child.execution_id, because)
            ended += after.status is Status.CANCELLED
        ended += await cancel_children(database, registry, child.execution_id)
    return ended


async def cancel_orphan(database: Database, registry: Registry, execution_id: ExecutionId) -> bool:
    """Cancel an open execution whose parent was cancelled, and what is below; False if ended."""
    because = "its parent was cancelled"
    after = await _cancel_one(database, registry, execution_id, because)
    if after.status is not Status.CANCELLED:
        return False
    await cancel_children(database, registry, execution_id)
    return True


async def _cancel_one(
    database: Database, registry: Registry, execution_id: ExecutionId, reason: str
) -> Execution:
    async with database.transaction() as tx:
        locked = await tx.ledger.lock(execution_id)
        if locked is None:
            raise ExecutionNotFound(f"There is no execution {execution_id}.")
        if not locked.execution.is_open:
            return locked.execution
        payload = {"reason": reason} if reason else {}
        cancelled = await tx.ledger.record(locked.execution, EventType.CANCELLED, payload)
        await tx.ledger.release(execution_id)
        await tx.outbox.withdraw(execution_id)
        await workflow.follow(tx, registry, cancelled)
    log.info("cancelled", execution_id=execution_id, reason=reason)
    return cancelled
