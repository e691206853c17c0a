"""Which executions wait for something that may never come, asked of the database's own clock."""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, exists, false, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.tables import execution_events, executions, outbox
from spine_common.adapters.database.types import db_now
from spine_common.core.execution import OPEN, Status
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import Road, TriggerSource
from spine_common.framework.ports.overdue import Expired

_SENT = [Status.PENDING.value, Status.QUEUED.value, Status.RETRY_SCHEDULED.value]
_UNFINISHED = [Status.PENDING.value, Status.RUNNING.value]
_OPEN = [status.value for status in OPEN]
_child = executions.alias("child")
_parent = executions.alias("parent")
# A retry stands beside the work of the execution it repeats, not below it.
_is_child = (_child.c.parent_id == executions.c.execution_id) & (
    _child.c.trigger_source != TriggerSource.DLQ.value
)
_is_in_outbox = exists().where(outbox.c.execution_id == executions.c.execution_id)
# A copy that came while the lease held is sent again when it is over; the last to have it was lost.
_was_sent_since = func.coalesce(executions.c.sent_at >= executions.c.lease_until, false())
# A worker that was stopped in good order left it for the next one, or another had its copy.
_is_free = (
    (executions.c.status == Status.RUNNING.value)
    & (executions.c.lease_until < db_now())
    & (executions.c.lease_owner.is_(None) | _was_sent_since)
)


class SqlOverdue:
    """The sweepers' questions in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def leases(self, grace: float, limit: int, skip: int = 0) -> list[Expired]:
        """Return running executions whose lease ended more than ``grace`` seconds ago."""
        found = await self._connection.execute(
            select(executions.c.execution_id, executions.c.lease_until)
            .where(executions.c.status == Status.RUNNING.value)
            .where(executions.c.lease_owner.is_not(None))
            .where(executions.c.lease_until < db_now(-grace))
            .where(~_was_sent_since, ~_is_in_outbox)
            .order_by(executions.c.lease_until, executions.c.execution_id)
            .limit(limit)
            .offset(skip)
        )
        return [Expired(ExecutionId(row.execution_id), row.lease_until) for row in found]

    async def commands(
        self, patience: float, roads: Collection[Road], limit: int, skip: int = 0
    ) -> list[ExecutionId]:
        """Return executions sent long ago, not begun, and not in the outbox."""
        last = func.coalesce(executions.c.sent_at, executions.c.created_at)
        names = [(stage.value, lane.value) for stage, lane in roads]
        return await self._ids(
            _executions(or_(executions.c.status.in_(_SENT), _is_free))
            .where(tuple_(executions.c.stage, executions.c.lane).in_(names))
            .where(last < db_now(-patience))
            .where(~_is_in_outbox)
            .where(~exists().where(_is_child))
            .order_by(last, executions.c.execution_id)
            .limit(limit)
            .offset(skip)
        )

    async def verdicts(self, patience: float, limit: int, skip: int = 0) -> list[ExecutionId]:
        """Return executions that failed long ago and got no verdict."""
        last = (execution_events.c.execution_id == executions.c.execution_id) & (
            execution_events.c.seq == executions.c.seq
        )
        return await self._ids(
            _executions(executions.c.status == Status.FAILED.value)
            .join(execution_events, last)
            .where(execution_events.c.at < db_now(-patience))
            .order_by(execution_events.c.at, executions.c.execution_id)
            .limit(limit)
            .offset(skip)
        )

    async def parents(self, limit: int, skip: int = 0) -> list[ExecutionId]:
        """Return open parents all of whose children have ended."""
        return await self._ids(
            _executions(executions.c.status.in_(_UNFINISHED))
            .where(executions.c.lease_until.is_(None))
            .where(exists().where(_is_child))
            .where(~exists().where(_is_child & _child.c.status.in_(_OPEN)))
            .order_by(executions.c.created_at, executions.c.execution_id)
            .limit(limit)
            .offset(skip)
        )

    async def orphans(self, limit: int, skip: int = 0) -> list[ExecutionId]:
        """Return open children of cancelled parents."""
        return await self._ids(
            _executions(executions.c.status.in_(_OPEN))
            .join(_parent, _parent.c.execution_id == executions.c.parent_id)
            .where(_parent.c.status == Status.CANCELLED.value)
            .where(executions.c.trigger_source != TriggerSource.DLQ.value)
            .order_by(executions.c.created_at, executions.c.execution_id)
            .limit(limit)
            .offset(skip)
        )

    async def _ids(self, query: Select[tuple[str]]) -> list[ExecutionId]:
        found = await self._connection.execute(query)
        return [ExecutionId(row.execution_id) for row in found]


def _executions(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(executions.c.execution_id).where(condition)
