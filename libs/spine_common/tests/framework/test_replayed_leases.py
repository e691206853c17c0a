"""Whether a replay takes nobody's work away, and leaves nothing behind that nobody takes up."""

import pytest
from sqlalchemy import delete, select, update

from spine_common.adapters.database.tables import executions
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.pipeline import WORK_ROADS
from spine_common.framework import workflow
from spine_common.framework.audit import replay

from .builders import REGISTRY, WORK, sales_key
from .conftest import Process, until
from .damage import broken, damaged, row_of


async def begun(process: Process, pipeline: str = "suite.work", **params: str) -> Execution:
    """Return an execution that runs, its command gone; nobody has a lease of it yet."""
    execution = await process.dispatcher.submit(pipeline, params)
    async with process.database.transaction() as tx:
        await tx.outbox.mark_sent(await tx.outbox.claim(limit=10, lease=30))
        payload = {"attempt": 1, "fence": 1, "owner": "me"}
        return await tx.ledger.record(execution, EventType.STARTED, payload)


async def leased(process: Process) -> Execution:
    execution = await begun(process)
    async with process.database.transaction() as tx:
        await tx.ledger.set_lease(execution.execution_id, "me", 60)
    return execution


LOST_ROW = delete(executions)
WRONGLY_ENDED = update(executions).values(status="completed", lease_owner=None, lease_until=None)


@pytest.mark.parametrize("damage", [LOST_ROW, WRONGLY_ENDED], ids=["no row", "ended"])
async def test_what_runs_and_is_nobodys_is_left_to_the_next_worker(process: Process, damage):
    execution = await leased(process)
    await damaged(process, damage)

    await replay(process.database)

    async def is_found() -> bool:
        async with process.database.reading() as tx:
            return await tx.overdue.commands(0.0, WORK_ROADS, 10) == [execution.execution_id]

    await until(is_found)
    assert await process.get(execution) == execution
    assert await broken(process) == []


@pytest.mark.parametrize("status", ["running", "completed", "nonsense"])
async def test_who_is_at_work_keeps_the_lease_whatever_the_status_says(
    process: Process, status: str
):
    execution = await leased(process)
    await damaged(process, update(executions).where(row_of(execution)).values(status=status))

    await replay(process.database)

    async with process.database.transaction() as tx:
        locked = await tx.ledger.lock(execution.execution_id)
    assert locked is not None
    assert (locked.execution, locked.lease_owner) == (execution, "me")
    assert locked.lease_seconds_left > 50


async def test_a_parent_is_left_to_its_children(process: Process):
    parent = await begun(process)
    async with process.database.transaction() as tx:
        await workflow.add_child(tx, REGISTRY, parent, WORK, {}, step="only")
    above = await begun(process, "shop.process", **sales_key())
    await damaged(process, LOST_ROW)

    await replay(process.database)

    async with process.database.reading() as tx:
        running = executions.c.status == Status.RUNNING.value
        found = await tx._connection.execute(select(executions).where(running))
        leases = {row.execution_id: row.lease_until for row in found}
    assert leases == {parent.execution_id: None, above.execution_id: None}
