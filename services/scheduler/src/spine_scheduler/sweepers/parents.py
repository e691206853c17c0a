"""Families that fell apart: parents not ended with their children, children left behind."""

from spine_common.core.ids import ExecutionId
from spine_common.framework import workflow
from spine_common.framework.cancel import cancel_orphan
from spine_scheduler.sweepers.sweep import MOST_AT_ONCE, Sweep, each


async def sweep(it: Sweep) -> int:
    """End parents whose children have all ended, and children of cancelled parents."""
    platform = it.platform
    async with platform.database.reading() as tx:
        unended = await tx.overdue.parents(MOST_AT_ONCE)
        orphans = await tx.overdue.orphans(MOST_AT_ONCE)

    async def take_up(parent_id: ExecutionId) -> bool:
        async with platform.database.transaction() as tx:
            return await workflow.resume(tx, platform.registry, parent_id) is not None

    async def take_away(child_id: ExecutionId) -> bool:
        return await cancel_orphan(platform.database, platform.registry, child_id)

    ended = await each(unended, take_up, "parents")
    return ended + await each(orphans, take_away, "orphans")
