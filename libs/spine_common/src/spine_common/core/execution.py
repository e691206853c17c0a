"""An execution is one recorded run; its state is the fold of its events and nothing else."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from spine_common.core.errors import SpineError
from spine_common.core.ids import ExecutionId, Fence
from spine_common.core.pipeline import Lane, Stage, TriggerSource


class Status(StrEnum):
    """Where an execution stands."""

    PENDING = "pending"
    """Recorded, its command waits in the outbox."""
    QUEUED = "queued"
    """The broker confirmed the command."""
    RUNNING = "running"
    """A worker holds the lease; for a workflow: its children are under way."""
    FAILED = "failed"
    """An attempt failed; waits for the dead-letter service's verdict."""
    RETRY_SCHEDULED = "retry_scheduled"
    """The next attempt waits in the outbox until it is due."""
    COMPLETED = "completed"
    SKIPPED = "skipped"
    """The work had been done before; nothing was written."""
    CANCELLED = "cancelled"
    DEAD_LETTERED = "dead_lettered"
    """Given up; waits for a person."""


TERMINAL = frozenset({Status.COMPLETED, Status.SKIPPED, Status.CANCELLED, Status.DEAD_LETTERED})
OPEN = frozenset(Status) - TERMINAL


class EventType(StrEnum):
    """What can happen to an execution. Terminal types share their name with the state."""

    SUBMITTED = "submitted"
    QUEUED = "queued"
    STARTED = "started"
    FAILED = "failed"
    RETRY_SCHEDULED = "retry_scheduled"
    COMPLETED = "completed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    DEAD_LETTERED = "dead_lettered"


TERMINAL_EVENTS = frozenset(EventType(status.value) for status in TERMINAL)

_E, _S = EventType, Status
_TRANSITIONS: Mapping[Status, Mapping[EventType, Status]] = {
    _S.PENDING: {
        _E.QUEUED: _S.QUEUED,
        _E.STARTED: _S.RUNNING,
        _E.SKIPPED: _S.SKIPPED,
        _E.CANCELLED: _S.CANCELLED,
    },
    _S.QUEUED: {
        _E.STARTED: _S.RUNNING,
        _E.FAILED: _S.FAILED,
        _E.CANCELLED: _S.CANCELLED,
    },
    _S.RUNNING: {
        # Again under a higher fence: the worker before this one lost its lease.
        _E.STARTED: _S.RUNNING,
        _E.COMPLETED: _S.COMPLETED,
        _E.SKIPPED: _S.SKIPPED,
        _E.FAILED: _S.FAILED,
        _E.CANCELLED: _S.CANCELLED,
        # A workflow whose child was given up.
        _E.DEAD_LETTERED: _S.DEAD_LETTERED,
    },
    _S.FAILED: {
        _E.RETRY_SCHEDULED: _S.RETRY_SCHEDULED,
        _E.DEAD_LETTERED: _S.DEAD_LETTERED,
        _E.CANCELLED: _S.CANCELLED,
    },
    _S.RETRY_SCHEDULED: {
        _E.QUEUED: _S.QUEUED,
        _E.STARTED: _S.RUNNING,
        _E.CANCELLED: _S.CANCELLED,
    },
    **{status: {} for status in TERMINAL},
}


class IllegalTransition(SpineError):
    """An event that can't happen in the execution's state."""

    code = "ILLEGAL_TRANSITION"


@dataclass(frozen=True, slots=True)
class Event:
    """A ledger fact: the ``seq``-th (from 1) of its execution."""

    execution_id: ExecutionId
    seq: int
    type: EventType
    at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Execution:
    """One recorded run, as its events up to ``seq`` tell it."""

    execution_id: ExecutionId
    pipeline: str
    stage: Stage
    domain: str
    lane: Lane
    params: Mapping[str, Any]
    partition_key: str | None
    logical_key: str
    trigger_source: TriggerSource
    parent_id: ExecutionId | None
    status: Status
    attempt: int
    fence: Fence
    seq: int
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_code: str | None = None
    error: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether a terminal event is still to come."""
        return self.status in OPEN


def open_execution(event: Event) -> Execution:
    """Start the fold: what a ``submitted`` event says."""
    if event.type is not EventType.SUBMITTED or event.seq != 1:
        raise IllegalTransition(
            f"Execution {event.execution_id} begins with {event.type} #{event.seq}.",
            remedy="The first event is submitted, #1.",
        )
    said = event.payload
    return Execution(
        execution_id=event.execution_id,
        pipeline=said["pipeline"],
        stage=Stage(said["stage"]),
        domain=said["domain"],
        lane=Lane(said["lane"]),
        params=said["params"],
        partition_key=said["partition_key"],
        logical_key=said["logical_key"],
        trigger_source=TriggerSource(said["trigger_source"]),
        parent_id=said["parent_id"],
        status=Status.PENDING,
        attempt=1,
        fence=Fence(0),
        seq=1,
        created_at=event.at,
    )


def apply(execution: Execution, event: Event) -> Execution:  # noqa: PLR0911 - one return a case
    """Return the execution after ``event``; ``IllegalTransition`` if it can't happen now."""
    allowed = _TRANSITIONS[execution.status]
    if event.type not in allowed or event.seq != execution.seq + 1:
        raise IllegalTransition(
            f"Execution {execution.execution_id} is {execution.status} at #{execution.seq}:"
            f" {event.type} #{event.seq} can't follow."
        )
    said = event.payload
    after = replace(execution, status=allowed[event.type], seq=event.seq)
    match event.type:
        case EventType.STARTED:
            return replace(
                after,
                started_at=execution.started_at or event.at,
                fence=Fence(said.get("fence", execution.fence)),
                error_code=None,
                error=None,
            )
        case EventType.FAILED:
            return replace(after, error_code=said["code"], error=said["message"])
        case EventType.RETRY_SCHEDULED:
            return replace(after, attempt=said["attempt"])
        case EventType.DEAD_LETTERED:
            return replace(
                after,
                completed_at=event.at,
                error_code=said.get("code", execution.error_code),
                error=said.get("message", execution.error),
            )
        case EventType.COMPLETED | EventType.SKIPPED:
            return replace(
                after,
                completed_at=event.at,
                partition_key=said.get("partition_key", execution.partition_key),
                result=said.get("result", {}),
            )
        case EventType.CANCELLED:
            return replace(after, completed_at=event.at)
        case _:
            return after


def fold(events: Iterable[Event]) -> Execution:
    """Return the execution its events tell; they come in sequence, from ``submitted`` on."""
    history = iter(events)
    execution = open_execution(next(history))
    for event in history:
        execution = apply(execution, event)
    return execution
