"""The ledger read whole, and its executions written anew from their events."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, case, delete, exists, func, insert, or_, select, text, update
from sqlalchemy import literal_column as literal
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.decoding import RowReader
from spine_common.adapters.database.faults import translate
from spine_common.adapters.database.ledger import execution_from
from spine_common.adapters.database.tables import execution_events, executions
from spine_common.adapters.database.types import db_now
from spine_common.core.execution import OPEN, TERMINAL, Event, EventType, Execution, Status
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import Stage, TriggerSource
from spine_common.framework.ports.audit import Family, History, LedgerCorrupt, Unreadable

_OPERATIONAL = ("lease_owner", "lease_until", "sent_at")
_OPEN = [status.value for status in OPEN]
_ENDED = [status.value for status in TERMINAL if status is not Status.CANCELLED]
_DONE = [Status.COMPLETED.value, Status.SKIPPED.value]
_UNDONE = [Status.DEAD_LETTERED.value, Status.CANCELLED.value]
_EVENTS = RowReader(execution_events.c)
_STORED = RowReader(executions.c)
_LEASES = RowReader(executions.c[name] for name in _OPERATIONAL)
_parent = executions.alias("parent")
_child = executions.alias("child")
# A retry stands beside the work of the execution it repeats, not below it.
_IS_BELOW = _child.c.trigger_source != TriggerSource.DLQ.value
# A retried step ends before the workflow's steps that are left, which are its children then.
_OUTLASTS = or_(
    _parent.c.trigger_source != TriggerSource.DLQ.value, _parent.c.stage == Stage.WORKFLOW.value
)
_PROBLEM = case(
    (
        _parent.c.status.in_(_ENDED) & _child.c.status.in_(_OPEN),
        literal("'ended before its children'"),
    ),
    (
        _parent.c.status.in_(_DONE) & _child.c.status.in_(_UNDONE),
        literal("'ended well, and a child of it did not'"),
    ),
    (
        (_parent.c.status == Status.SKIPPED.value) & (_child.c.status == Status.COMPLETED.value),
        literal("'was skipped, and a child of it was not'"),
    ),
)


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
        rows = await self._connection.execute(
            select(*_EVENTS.undecoded, *_STORED.undecoded)
            .select_from(execution_events)
            .join(ids, ids.c.execution_id == execution_events.c.execution_id)
            .outerjoin(executions, executions.c.execution_id == execution_events.c.execution_id)
            .order_by(execution_events.c.execution_id, execution_events.c.seq)
        )
        dialect = self._connection.dialect
        return [
            _history(ExecutionId(name), list(group), dialect)
            for name, group in groupby(rows.all(), key=itemgetter(0))
        ]

    async def without_events(self) -> list[ExecutionId]:
        """Return stored executions that no event tells of."""
        is_told = exists().where(execution_events.c.execution_id == executions.c.execution_id)
        found = await self._connection.execute(
            select(executions.c.execution_id).where(~is_told).order_by(executions.c.execution_id)
        )
        return [ExecutionId(row.execution_id) for row in found]

    async def contradictions(self, limit: int) -> list[Family]:
        """Return parents whose children contradict them."""
        unknown = (
            select(_child.c.parent_id, literal("'is not in the ledger'").label("problem"))
            .where(_child.c.parent_id.is_not(None))
            .where(~exists().where(_parent.c.execution_id == _child.c.parent_id))
        )
        at_odds = (
            select(_child.c.parent_id, _PROBLEM.label("problem"))
            .join(_parent, _parent.c.execution_id == _child.c.parent_id)
            .where(_IS_BELOW, _OUTLASTS, _PROBLEM.is_not(None))
        )
        twice = (
            select(_child.c.parent_id, literal("'has one step twice'").label("problem"))
            .join(_parent, _parent.c.execution_id == _child.c.parent_id)
            .where(_IS_BELOW, _parent.c.stage == Stage.WORKFLOW.value)
            .group_by(_child.c.parent_id, _child.c.pipeline)
            .having(func.count() > 1)
        )
        found = await self._connection.execute(
            unknown.union(at_odds, twice).order_by("parent_id").limit(limit)
        )
        return [Family(ExecutionId(row.parent_id), row.problem) for row in found]

    async def freeze(self) -> None:
        """Let nobody else change the ledger for the rest of the transaction."""
        # On SQLite a writing transaction is alone as it is.
        if self._connection.dialect.name == "postgresql":
            # Whoever writes an event writes its execution first: they all stop here.
            await self._connection.execute(text("LOCK TABLE executions IN ACCESS EXCLUSIVE MODE"))

    async def drop(self) -> None:
        """Remove every stored execution."""
        # A lease may be held though the status is wrong: whoever works keeps it.
        under_way = or_(executions.c.status.in_(_OPEN), executions.c.lease_until.is_not(None))
        kept = await self._connection.execute(
            select(executions.c.execution_id, *_LEASES.undecoded).where(under_way)
        )
        dialect = self._connection.dialect
        self._operational = {row[0]: _lease(row[1:], dialect) for row in kept}
        await self._connection.execute(delete(executions))

    async def rebuild(self, folded: Sequence[Execution]) -> None:
        """Store executions anew; those under way keep their leases."""
        rows = [asdict(one) | self._kept(one) for one in folded]
        try:
            await self._connection.execute(insert(executions), rows)
        except (DBAPIError, OverflowError, UnicodeError) as error:
            if translate(error) is not error:
                raise
            said = getattr(error, "orig", error)
            raise LedgerCorrupt(f"The database can't hold what the events tell: {said}.") from error

    def _kept(self, one: Execution) -> dict[str, Any]:
        kept = self._operational.get(one.execution_id) if one.is_open else None
        return kept or dict.fromkeys(_OPERATIONAL)

    async def let_go(self) -> None:
        """Let the next worker take up what runs by its events and is nobody's by its lease."""
        is_parent = exists().where(_child.c.parent_id == executions.c.execution_id, _IS_BELOW)
        await self._connection.execute(
            update(executions)
            .where(executions.c.status == Status.RUNNING.value)
            .where(executions.c.stage != Stage.WORKFLOW.value)
            .where(executions.c.lease_until.is_(None), ~is_parent)
            .values(lease_owner=None, lease_until=db_now())
        )


def _history(execution_id: ExecutionId, rows: Sequence[Any], dialect: Dialect) -> History:
    width = len(_EVENTS)
    return History(
        execution_id,
        [_event(row[:width], dialect) for row in rows],
        _stored(rows[0][width:], dialect),
    )


def _event(values: Sequence[Any], dialect: Dialect) -> Event | Unreadable:
    name, seq, type_, _, _ = values
    try:
        said = _EVENTS.read(values, dialect)
        if not isinstance(said["payload"], dict):
            return Unreadable(_number(seq), f"event #{seq}: its payload is no object")
        return Event(ExecutionId(name), seq, EventType(type_), said["at"], said["payload"])
    except ValueError as error:
        return Unreadable(_number(seq), f"event #{seq}: {error}")


def _stored(values: Sequence[Any], dialect: Dialect) -> Execution | Unreadable | None:
    if values[0] is None:
        return None
    try:
        return execution_from(_STORED.read(values, dialect))
    except ValueError as error:
        seq = dict(zip(executions.c.keys(), values, strict=True))["seq"]
        return Unreadable(_number(seq), str(error))


def _lease(values: Sequence[Any], dialect: Dialect) -> dict[str, Any]:
    try:
        return _LEASES.read(values, dialect)
    except ValueError:
        return dict.fromkeys(_OPERATIONAL)


def _number(seq: Any) -> int:
    return seq if isinstance(seq, int) else 0
