"""Executions and their events: every change is an event, and the row is its fold."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.statements import insert_into
from spine_common.adapters.database.tables import execution_events, executions
from spine_common.adapters.database.types import db_now, seconds_until
from spine_common.core.errors import Conflict
from spine_common.core.execution import (
    OPEN,
    Event,
    EventType,
    Execution,
    Status,
    apply,
    open_execution,
)
from spine_common.core.ids import ExecutionId, Fence, command_message_id
from spine_common.core.pipeline import Lane, Stage, TriggerSource
from spine_common.framework.ports.ledger import Locked, NewExecution, OutboxRow

_FOLDED = [c for c in executions.c if c.name not in {"lease_owner", "lease_until", "sent_at"}]
_NOT_BEGUN = executions.c.status.in_([Status.PENDING.value, Status.RETRY_SCHEDULED.value])
_ALWAYS_OPEN = executions.c.status.in_([status.value for status in OPEN])


def to_execution(row: Row[Any]) -> Execution:
    """Read an execution from its row."""
    return execution_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a mapping


def execution_from(values: Mapping[Any, Any]) -> Execution:
    """Read an execution from its columns by name."""
    fields = {column.name: values[column.name] for column in _FOLDED}
    return Execution(
        **{
            **fields,
            "stage": Stage(fields["stage"]),
            "lane": Lane(fields["lane"]),
            "trigger_source": TriggerSource(fields["trigger_source"]),
            "status": Status(fields["status"]),
        }
    )


def to_event(row: Row[Any]) -> Event:
    """Read an event from its row."""
    return Event(ExecutionId(row.execution_id), row.seq, EventType(row.type), row.at, row.payload)


def _columns(execution: Execution) -> dict[str, Any]:
    return {name: value for name, value in asdict(execution).items() if name != "execution_id"}


class SqlLedger:
    """The ledger's room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def submit(self, new: NewExecution) -> tuple[Execution, bool]:
        """Record an execution, or return the open one with the same logical key."""
        payload = {k: v for k, v in asdict(new).items() if k != "execution_id"}
        at = await self._now()
        event = Event(new.execution_id, 1, EventType.SUBMITTED, at, payload)
        execution = open_execution(event)
        # Waits for a concurrent submit of the same key, then sees it: no second open execution.
        insertion = insert_into(self._connection, executions).on_conflict_do_nothing()
        inserted = await self._connection.execute(
            insertion.values(asdict(execution)).returning(executions.c.execution_id)
        )
        if inserted.first() is None:
            return await self._existing(new), False
        await self._append(event)
        return execution, True

    async def _existing(self, new: NewExecution) -> Execution:
        same = or_(
            executions.c.execution_id == new.execution_id,
            (executions.c.logical_key == new.logical_key) & _ALWAYS_OPEN,
        )
        itself_first = (executions.c.execution_id == new.execution_id).desc()
        query = select(executions).where(same).order_by(itself_first)
        found = (await self._connection.execute(query)).first()
        if found is None:
            # It ended between our INSERT and this SELECT; the caller's whole step runs again.
            raise Conflict(f"The open execution of {new.logical_key} ended just now.")
        return to_execution(found)

    async def record(
        self, execution: Execution, type_: EventType, payload: Mapping[str, Any] | None = None
    ) -> Execution:
        """Append the next event of a locked execution."""
        at = await self._now()
        return await self._advance(execution, type_, payload or {}, at)

    async def _advance(
        self, execution: Execution, type_: EventType, payload: Mapping[str, Any], at: datetime
    ) -> Execution:
        event = Event(execution.execution_id, execution.seq + 1, type_, at, payload)
        after = apply(execution, event)
        changed = await self._connection.execute(
            update(executions)
            .where(executions.c.execution_id == execution.execution_id)
            .where(executions.c.seq == execution.seq)
            .values(_columns(after))
        )
        if changed.rowcount != 1:
            raise Conflict(f"Execution {execution.execution_id} has moved on from #{event.seq}.")
        await self._append(event)
        return after

    async def record_queued(self, sent: Sequence[OutboxRow]) -> None:
        """Append ``queued`` to those executions whose present attempt is among the rows sent."""
        ids = [row.execution_id for row in sent]
        messages = {row.message.message_id for row in sent}
        is_meant = executions.c.execution_id.in_(ids) & _ALWAYS_OPEN
        # One order of locking: no deadlock. A row that runs may be locked for as long as its
        # commit takes: waiting for it would hold up all the others.
        ordered = select(executions).where(is_meant).order_by(executions.c.execution_id)
        waiting = await self._present(ordered.where(_NOT_BEGUN).with_for_update(), messages)
        begun = await self._present(
            ordered.where(~_NOT_BEGUN).with_for_update(skip_locked=True), messages
        )
        for one in waiting:
            await self.record(one, EventType.QUEUED)
        await self._note_sent([one.execution_id for one in waiting + begun])

    async def note_sent(self, execution_id: ExecutionId) -> None:
        """Mark the locked execution's command as sent just now."""
        await self._note_sent([execution_id])

    async def _note_sent(self, ids: Sequence[ExecutionId]) -> None:
        await self._connection.execute(
            update(executions).where(executions.c.execution_id.in_(ids)).values(sent_at=db_now())
        )

    async def _present(self, query: Select[Any], messages: Collection[str]) -> list[Execution]:
        """Return the executions found whose present attempt is one of the messages."""
        found = await self._connection.execute(query)
        return [
            one
            for one in map(to_execution, found.all())
            if command_message_id(one.execution_id, one.attempt) in messages
        ]

    async def lock(self, execution_id: ExecutionId, *, wait: bool = True) -> Locked | None:
        """Lock the execution's row for the rest of the transaction."""
        until = seconds_until(executions.c.lease_until).label("lease_seconds_left")
        found = await self._connection.execute(
            select(executions, until)
            .where(executions.c.execution_id == execution_id)
            .with_for_update(skip_locked=not wait)
        )
        row = found.first()
        if row is None:
            return None
        left = float(row.lease_seconds_left or 0)
        return Locked(to_execution(row), left, row.lease_owner)

    async def set_lease(self, execution_id: ExecutionId, owner: str, seconds: float) -> None:
        """Lease the locked execution from now, database time."""
        await self._connection.execute(
            update(executions)
            .where(executions.c.execution_id == execution_id)
            .values(lease_owner=owner, lease_until=db_now(seconds))
        )

    async def release(self, execution_id: ExecutionId) -> None:
        """Drop the lease of the locked execution."""
        await self._connection.execute(
            update(executions)
            .where(executions.c.execution_id == execution_id)
            .values(lease_owner=None, lease_until=None)
        )

    async def let_go(self, execution_id: ExecutionId) -> None:
        """End the lease of the locked execution now; nobody has lost it."""
        await self._connection.execute(
            update(executions)
            .where(executions.c.execution_id == execution_id)
            .values(lease_owner=None, lease_until=db_now())
        )

    async def renew(self, execution_id: ExecutionId, fence: Fence, seconds: float) -> bool:
        """Extend the lease; False when the fence has moved on or the execution has ended."""
        renewed = await self._connection.execute(
            update(executions)
            .where(executions.c.execution_id == execution_id)
            .where(executions.c.fence == fence)
            .where(executions.c.status == Status.RUNNING.value)
            .values(lease_until=db_now(seconds))
        )
        return renewed.rowcount == 1

    async def get(self, execution_id: ExecutionId) -> Execution | None:
        """Return the execution as it stands."""
        found = await self._connection.execute(
            select(executions).where(executions.c.execution_id == execution_id)
        )
        row = found.first()
        return None if row is None else to_execution(row)

    async def events(self, execution_id: ExecutionId) -> list[Event]:
        """Return the execution's events in sequence."""
        rows = await self._connection.execute(
            select(execution_events)
            .where(execution_events.c.execution_id == execution_id)
            .order_by(execution_events.c.seq)
        )
        return [to_event(row) for row in rows]

    async def children(self, execution_id: ExecutionId) -> list[Execution]:
        """Return the executions whose parent this is, oldest first."""
        rows = await self._connection.execute(
            select(executions)
            .where(executions.c.parent_id == execution_id)
            .order_by(executions.c.created_at, executions.c.execution_id)
        )
        return [to_execution(row) for row in rows]

    async def any_child_open(self, execution_id: ExecutionId) -> bool:
        """Whether a child of the execution has not ended; retries of it are no children here."""
        query = select(executions.c.execution_id).where(
            executions.c.parent_id == execution_id,
            executions.c.trigger_source != TriggerSource.DLQ.value,
            _ALWAYS_OPEN,
        )
        return (await self._connection.execute(query.limit(1))).first() is not None

    async def recent(
        self, *, status: str | None = None, pipeline: str | None = None, limit: int = 50
    ) -> list[Execution]:
        """Return the newest executions first."""
        query = select(executions).order_by(
            executions.c.created_at.desc(), executions.c.execution_id.desc()
        )
        if status is not None:
            query = query.where(executions.c.status == status)
        if pipeline is not None:
            query = query.where(executions.c.pipeline == pipeline)
        rows = await self._connection.execute(query.limit(limit))
        return [to_execution(row) for row in rows]

    async def _append(self, event: Event) -> None:
        await self._connection.execute(
            insert(execution_events).values(
                execution_id=event.execution_id,
                seq=event.seq,
                type=event.type.value,
                at=event.at,
                payload=dict(event.payload),
            )
        )

    async def _now(self) -> datetime:
        now = await self._connection.scalar(select(db_now()))
        assert isinstance(now, datetime)  # noqa: S101 - narrows the driver's Any
        return now
