"""Families that fell apart: parents not ended with their children, children left behind."""

from collections.abc import Sequence

from spine_common.core.ids import ExecutionId
from spine_common.framework import workflow
from spine_common.framework.cancel import cancel_orphan
from spine_scheduler.sweepers.sweep import Sweep, through


async def sweep(it: Sweep) -> int:
    """End parents whose children have all ended, and children of cancelled parents."""
    platform = it.platform

    async def unended(limit: int, skip: int) -> Sequence[ExecutionId]:
        async with platform.database.reading() as tx:
            return await tx.overdue.parents(limit, skip)

    async def orphans(limit: int, skip: int) -> Sequence[ExecutionId]:
        async with platform.database.reading() as tx:
            return await tx.overdue.orphans(limit, skip)

    async def end(parent_id: ExecutionId) -> bool:
        async with platform.database.transaction() as tx:
            return await workflow.resume(tx, platform.registry, parent_id) is not None

    async def take_away(child_id: ExecutionId) -> bool:
        return await cancel_orphan(platform.database, platform.registry, child_id)

    ended = await through(unended, end, "parents")
    return ended + await through(orphans, take_away, "orphans")
