"""A ledger that was worked on, and ways to damage it behind the platform's back."""

from sqlalchemy import ColumnElement, text

from spine_common.adapters.database.tables import execution_events, executions
from spine_common.core.execution import Execution
from spine_common.framework.audit import verify

from .builders import SHOP_STAGES, sales_key
from .conftest import Process


async def worked(process: Process) -> Execution:
    """Fill the ledger: a workflow, a failure given up, one that is open."""
    await process.start({**SHOP_STAGES})
    path = process.folder / "sales.txt"
    path.write_text("tea 2")
    order = {**sales_key(), "file_path": str(path)}
    ended = await process.ended(await process.dispatcher.submit("shop.process", order))
    await given_up(process)
    await process.stop()
    await process.dispatcher.submit("suite.work")
    return ended


async def given_up(process: Process) -> Execution:
    """Return a workflow whose first step found no file."""
    missing = {**sales_key(shop="B"), "file_path": "missing.txt"}
    return await process.ended(await process.dispatcher.submit("shop.process", missing))


async def stored(process: Process) -> list[Execution]:
    async with process.database.reading() as tx:
        return await tx.ledger.recent(limit=100)


async def damaged(process: Process, *statements) -> None:
    """Run statements that nothing but a hand at the database could run."""
    async with process.database.transaction() as tx:
        on = " ON execution_events" if tx._connection.dialect.name == "postgresql" else ""
        await tx._connection.execute(text(f"DROP TRIGGER execution_events_append_only{on}"))
        for statement in statements:
            await tx._connection.execute(statement)


async def broken(process: Process) -> list[tuple[str, str]]:
    """Return who breaks which rule."""
    audited = await verify(process.database)
    return [(one.execution_id, one.rule) for one in audited.violations]


def row_of(execution: Execution) -> ColumnElement[bool]:
    return executions.c.execution_id == execution.execution_id


def event_of(execution: Execution, seq: int | None = None) -> ColumnElement[bool]:
    """Select one event of an execution, or all of them."""
    its = execution_events.c.execution_id == execution.execution_id
    return its if seq is None else its & (execution_events.c.seq == seq)
