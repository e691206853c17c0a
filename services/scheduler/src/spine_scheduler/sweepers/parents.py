"""Families that fell apart: parents not ended with their children, children left behind."""

from spine_common.core.ids import ExecutionId
from spine_common.framework import workflow
from spine_common.framework.cancel import cancel_orphan
from spine_scheduler.sweepers.sweep import Sweep, through


async def sweep(it: Sweep) -> int:
    """End parents whose children have all ended, and children of cancelled parents."""
    platform = it.platform

    async def end(parent_id: ExecutionId) -> bool:
        async with platform.database.transaction() as tx:
            return await workflow.resume(tx, platform.registry, parent_id) is not None

    async def take_away(child_id: ExecutionId) -> bool:
        return await cancel_orphan(platform.database, platform.registry, child_id)

    unended = it.asking(lambda overdue, *page: overdue.parents(*page))
    orphans = it.asking(lambda overdue, *page: overdue.orphans(*page))
    ended = await through(unended, end, "parents")
    return ended + await through(orphans, take_away, "orphans")
