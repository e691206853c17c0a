"""The ledger read whole, and its executions written anew from their events."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from sqlalchemy import Row, delete, exists, func, insert, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.ledger import execution_from, to_event
from spine_common.adapters.database.tables import execution_events, executions
from spine_common.core.execution import OPEN, TERMINAL, Execution, Status
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.ports.audit import Family, History

_OPERATIONAL = ("lease_owner", "lease_until", "sent_at")
_OPEN = [status.value for status in OPEN]
_ENDED = [status.value for status in TERMINAL if status is not Status.CANCELLED]
_parent = executions.alias("parent")
_child = executions.alias("child")


class SqlAudit:
    """The auditor's room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._operational: dict[str, dict[str, Any]] = {}

    async def histories(self, *, above: ExecutionId | None, limit: int) -> list[History]:
        """Return up to ``limit`` histories by execution id, beginning above one."""
        ids = (
            select(execution_events.c.execution_id)
            .where(execution_events.c.execution_id > (above or ""))
            .group_by(execution_events.c.execution_id)
            .order_by(execution_events.c.execution_id)
            .limit(limit)
            .cte("ids")
        )
        stored = [column.label(f"stored_{column.name}") for column in executions.c]
        rows = await self._connection.execute(
            select(execution_events, *stored)
            .join(ids, ids.c.execution_id == execution_events.c.execution_id)
            .outerjoin(executions, executions.c.execution_id == execution_events.c.execution_id)
            .order_by(execution_events.c.execution_id, execution_events.c.seq)
        )
        grouped = groupby(rows.all(), key=lambda row: row.execution_id)
        return [_history(ExecutionId(name), list(group)) for name, group in grouped]

    async def without_events(self, limit: int) -> list[ExecutionId]:
        """Return stored executions that no event tells of."""
        found = await self._connection.execute(
            select(executions.c.execution_id).where(_is_untold()).limit(limit)
        )
        return [ExecutionId(row.execution_id) for row in found]

    async def contradictions(self, limit: int) -> list[Family]:
        """Return parents whose children contradict them."""
        # A retry stands beside the work of the execution it repeats, not below it.
        below = _child.c.trigger_source != TriggerSource.DLQ.value
        unknown = (
            select(_child.c.parent_id, literal_column("'is not in the ledger'").label("problem"))
            .where(_child.c.parent_id.is_not(None))
            .where(~exists().where(_parent.c.execution_id == _child.c.parent_id))
        )
        ended_early = (
            select(
                _child.c.parent_id, literal_column("'ended before its children'").label("problem")
            )
            .join(_parent, _parent.c.execution_id == _child.c.parent_id)
            .where(below, _parent.c.status.in_(_ENDED), _child.c.status.in_(_OPEN))
        )
        twice = (
            select(_child.c.parent_id, literal_column("'has one step twice'").label("problem"))
            .join(_parent, _parent.c.execution_id == _child.c.parent_id)
            .where(below, _parent.c.stage == "workflow")
            .group_by(_child.c.parent_id, _child.c.pipeline)
            .having(func.count() > 1)
        )
        found = await self._connection.execute(
            unknown.union(ended_early, twice).order_by("parent_id").limit(limit)
        )
        return [Family(ExecutionId(row.parent_id), row.problem) for row in found]

    async def freeze(self) -> None:
        """Let nobody else change the ledger for the rest of the transaction."""
        # On SQLite a writing transaction is alone as it is.
        if self._connection.dialect.name == "postgresql":
            # Whoever writes an event writes its execution first: they all stop here.
            await self._connection.execute(text("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE"))

    async def drop(self) -> int:
        """Remove every stored execution; return how many no event tells of."""
        untold = select(func.count()).select_from(executions).where(_is_untold())
        lost = await self._connection.scalar(untold)
        kept = await self._connection.execute(
            select(executions.c.execution_id, *(executions.c[name] for name in _OPERATIONAL)).where(
                executions.c.status.in_(_OPEN)
            )
        )
        self._operational = {
            row.execution_id: {name: getattr(row, name) for name in _OPERATIONAL} for row in kept
        }
        await self._connection.execute(delete(executions))
        return lost or 0

    async def rebuild(self, folded: Sequence[Execution]) -> None:
        """Store executions anew; those under way keep their leases."""
        nothing = dict.fromkeys(_OPERATIONAL)
        rows = [asdict(one) | self._operational.get(one.execution_id, nothing) for one in folded]
        await self._connection.execute(insert(executions), rows)


def _is_untold() -> Any:
    return ~exists().where(execution_events.c.execution_id == executions.c.execution_id)


def _history(execution_id: ExecutionId, rows: list[Row[Any]]) -> History:
    first = rows[0]._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    stored = {column.name: first[f"stored_{column.name}"] for column in executions.c}
    return History(
        execution_id,
        [to_event(row) for row in rows],
        None if stored["execution_id"] is None else execution_from(stored),
    )
