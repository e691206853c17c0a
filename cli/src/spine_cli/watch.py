"""How an order comes along: the ledger is asked until every order given has ended."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spine_cli.embedded import TROUBLE
from spine_cli.naming import no_execution
from spine_cli.progress import Snapshot
from spine_common.core.errors import DatabaseUnavailable
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import ExecutionId

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.framework.ports.database import Transaction

Show = Callable[[Sequence[Snapshot]], None]
_INTERVAL = 0.1
_LONGEST = 0.5
_AWAY = 1.0


async def watch(
    platform: "Platform", execution_ids: Sequence[ExecutionId], show: Show
) -> list[Snapshot]:
    """Show how the orders come along until each has ended, and return how."""
    latest: dict[ExecutionId, Snapshot] = {}
    while True:
        TROUBLE.check()
        try:
            async with platform.database.reading() as tx:
                for execution_id in execution_ids:
                    known = latest.get(execution_id)
                    if known is None or not known.has_ended:
                        latest[execution_id] = await look(platform, tx, execution_id)
        except DatabaseUnavailable:
            # The work waits for it, too, and goes on when it is back.
            await asyncio.sleep(_AWAY)
            continue
        snapshots = [latest[execution_id] for execution_id in execution_ids]
        show(snapshots)
        if all(snapshot.has_ended for snapshot in snapshots):
            return snapshots
        # Asking costs the processor the stages need, the more the more orders there are.
        still_open = sum(not snapshot.has_ended for snapshot in snapshots)
        await asyncio.sleep(min(_LONGEST, _INTERVAL * still_open))


async def look(platform: "Platform", tx: "Transaction", execution_id: ExecutionId) -> Snapshot:
    """Return an order as it stands; ``ExecutionNotFound`` if there is none of that id."""
    execution = await tx.ledger.get(execution_id)
    if execution is None:
        raise no_execution(execution_id)
    children = await tx.ledger.children(execution_id)
    known = {pipeline.name: pipeline for pipeline in platform.registry.pipelines()}
    # An execution outlives its pipeline's package.
    steps = known[execution.pipeline].steps if execution.pipeline in known else ()
    waiting = [e for e in (execution, *children) if e.status is Status.RETRY_SCHEDULED]
    return Snapshot(
        execution=execution,
        children=children,
        steps=[(name, known[name].stage) for name in steps],
        retry_due={e.execution_id: await _due(tx, e) for e in waiting},
    )


async def _due(tx: "Transaction", execution: Execution) -> datetime:
    events = await tx.ledger.events(execution.execution_id)
    planned = next(e for e in reversed(events) if e.type is EventType.RETRY_SCHEDULED)
    return planned.at + timedelta(seconds=planned.payload["delay_seconds"])
