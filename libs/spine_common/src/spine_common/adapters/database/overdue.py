"""Which executions wait for something that may never come, asked of the database's own clock."""

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.tables import execution_events, executions, outbox
from spine_common.adapters.database.types import db_now
from spine_common.core.execution import OPEN, Status
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import Lane, Stage, TriggerSource
from spine_common.framework.ports.overdue import Unclaimed

_SENT = [Status.PENDING.value, Status.QUEUED.value, Status.RETRY_SCHEDULED.value]
_UNFINISHED = [Status.PENDING.value, Status.RUNNING.value]
_OPEN = [status.value for status in OPEN]
_child = executions.alias("child")
_parent = executions.alias("parent")
# A retry stands beside the work of the execution it repeats, not below it.
_is_child = (_child.c.parent_id == executions.c.execution_id) & (
    _child.c.trigger_source != TriggerSource.DLQ.value
)


class SqlOverdue:
    """The sweepers' questions in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def leases(self, grace: float, limit: int) -> list[ExecutionId]:
        """Return running executions whose lease ended more than ``grace`` seconds ago."""
        return await self._ids(
            _executions(executions.c.status == Status.RUNNING.value)
            .where(executions.c.lease_owner.is_not(None))
            .where(executions.c.lease_until < db_now(-grace))
            .order_by(executions.c.lease_until)
            .limit(limit)
        )

    async def commands(self, patience: float, limit: int) -> list[Unclaimed]:
        """Return executions sent long ago, not begun, and not in the outbox."""
        last = func.coalesce(executions.c.sent_at, executions.c.created_at)
        found = await self._connection.execute(
            select(executions.c.execution_id, executions.c.stage, executions.c.lane)
            .where(or_(executions.c.status.in_(_SENT), _was_let_go()))
            .where(executions.c.stage != Stage.WORKFLOW.value)
            .where(last < db_now(-patience))
            .where(~exists().where(outbox.c.execution_id == executions.c.execution_id))
            .where(~exists().where(_is_child))
            .order_by(last)
            .limit(limit)
        )
        return [Unclaimed(row.execution_id, Stage(row.stage), Lane(row.lane)) for row in found]

    async def verdicts(self, patience: float, limit: int) -> list[ExecutionId]:
        """Return executions that failed long ago and got no verdict."""
        last = (execution_events.c.execution_id == executions.c.execution_id) & (
            execution_events.c.seq == executions.c.seq
        )
        return await self._ids(
            _executions(executions.c.status == Status.FAILED.value)
            .join(execution_events, last)
            .where(execution_events.c.at < db_now(-patience))
            .order_by(execution_events.c.at)
            .limit(limit)
        )

    async def parents(self, limit: int) -> list[ExecutionId]:
        """Return open parents all of whose children have ended."""
        return await self._ids(
            _executions(executions.c.status.in_(_UNFINISHED))
            .where(executions.c.lease_until.is_(None))
            .where(exists().where(_is_child))
            .where(~exists().where(_is_child & _child.c.status.in_(_OPEN)))
            .order_by(executions.c.created_at)
            .limit(limit)
        )

    async def orphans(self, limit: int) -> list[ExecutionId]:
        """Return open children of cancelled parents."""
        return await self._ids(
            _executions(executions.c.status.in_(_OPEN))
            .join(_parent, _parent.c.execution_id == executions.c.parent_id)
            .where(_parent.c.status == Status.CANCELLED.value)
            .where(executions.c.trigger_source != TriggerSource.DLQ.value)
            .order_by(executions.c.created_at)
            .limit(limit)
        )

    async def _ids(self, query: Select[tuple[str]]) -> list[ExecutionId]:
        found = await self._connection.execute(query)
        return [ExecutionId(row.execution_id) for row in found]


def _was_let_go() -> ColumnElement[bool]:
    """Whether a worker that was stopped in good order left it for the next one."""
    return (
        (executions.c.status == Status.RUNNING.value)
        & executions.c.lease_owner.is_(None)
        & (executions.c.lease_until < db_now())
    )


def _executions(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(executions.c.execution_id).where(condition)
