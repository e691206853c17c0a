"""Whether a platform is as it must be once all work has ended: the invariants, asked of it."""

import asyncio
import time
from collections.abc import Iterable

from spine_common.bootstrap.platform import Platform
from spine_common.core.execution import TERMINAL, TERMINAL_EVENTS, Execution, fold
from spine_common.core.ids import ExecutionId


async def ended(
    platform: Platform, execution_ids: Iterable[ExecutionId], patience: float = 60.0
) -> list[Execution]:
    """Wait until every execution reached a terminal status, and return them."""
    waiting = list(execution_ids)
    until = time.monotonic() + patience
    while True:
        async with platform.database.reading() as tx:
            found = [await tx.ledger.get(execution_id) for execution_id in waiting]
        executions = [execution for execution in found if execution is not None]
        if len(executions) == len(waiting) and all(e.status in TERMINAL for e in executions):
            return executions
        if time.monotonic() > until:
            stuck = [f"{e.pipeline} {e.status} {e.error}" for e in executions if e.is_open]
            raise AssertionError(f"still open after {patience:g} s: {stuck}")
        await asyncio.sleep(0.05)


async def at_rest(platform: Platform, patience: float = 30.0) -> None:
    """Wait until the outbox is empty: everything written was also sent."""
    until = time.monotonic() + patience
    while True:
        async with platform.database.reading() as tx:
            rows, _ = await tx.outbox.depth()
        if rows == 0:
            return
        if time.monotonic() > until:
            raise AssertionError(f"{rows} messages are still in the outbox after {patience:g} s")
        await asyncio.sleep(0.05)


async def digests(platform: Platform) -> dict[str, str]:
    """Return a hash over the ordered contents of every data table."""
    datasets = [d for domain in platform.registry.domains.values() for d in domain.datasets]
    async with platform.database.reading() as tx:
        return {dataset.table: await tx.queries.digest(dataset) for dataset in datasets}


async def check_ledger(platform: Platform) -> int:
    """Assert what must hold of every execution at rest; return how many there are.

    Sequences without gaps, exactly one terminal event and it comes last, the stored execution
    equal to the fold of its events.
    """
    async with platform.database.reading() as tx:
        executions = await tx.ledger.recent(limit=1_000_000)
        for execution in executions:
            events = await tx.ledger.events(execution.execution_id)
            assert [event.seq for event in events] == list(range(1, len(events) + 1)), events  # noqa: S101 - a check is what this is
            terminal = [event for event in events if event.type in TERMINAL_EVENTS]
            assert terminal == events[-1:], events  # noqa: S101 - a check is what this is
            assert fold(events) == execution, (fold(events), execution)  # noqa: S101 - as above
    return len(executions)
