"""The ledger records executions and their events; the outbox lets messages out with them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from spine_common.contracts.message import Message
from spine_common.core.execution import Event, EventType, Execution
from spine_common.core.ids import ExecutionId, Fence
from spine_common.core.pipeline import Lane, Stage, TriggerSource


@dataclass(frozen=True, slots=True)
class NewExecution:
    """What ``submit`` records. ``execution_id`` is drawn, or derived for a continuation."""

    execution_id: ExecutionId
    pipeline: str
    stage: Stage
    domain: str
    lane: Lane
    params: Mapping[str, Any]
    partition_key: str | None
    logical_key: str
    trigger_source: TriggerSource
    parent_id: ExecutionId | None = None


@dataclass(frozen=True, slots=True)
class Locked:
    """An execution under a row lock, with its lease judged by the database's clock."""

    execution: Execution
    lease_seconds_left: float
    """How long another worker's lease still holds; 0 or less when there is none."""
    lease_owner: str | None = None
    """Who holds the lease, or held it last; None if there is none or it was let go."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A message waiting to be published, leased to one relay."""

    outbox_id: int
    message: Message
    execution_id: ExecutionId | None
    claim_token: str
    """Proves the lease: a row put back meanwhile has lost it and is not marked sent."""


class Ledger(Protocol):
    """Executions and their events. Every change is an event, checked by ``core.execution``."""

    async def submit(self, new: NewExecution) -> tuple[Execution, bool]:
        """Record an execution, or return the open one with the same logical key.

        The flag says whether it is new. An execution id that exists already counts as not new.
        """

    async def record(
        self, execution: Execution, type_: EventType, payload: Mapping[str, Any] | None = None
    ) -> Execution:
        """Append the next event of a locked execution; ``IllegalTransition`` if it can't be."""

    async def record_queued(self, sent: Sequence[OutboxRow]) -> None:
        """Append ``queued`` to those executions whose present attempt is among the rows sent.

        Each of them is marked as sent now, whatever its status; but not one that is being ended
        just now, for which nobody waits.
        """

    async def note_sent(self, execution_id: ExecutionId) -> None:
        """Mark the locked execution's command as sent just now."""

    async def lock(self, execution_id: ExecutionId, *, wait: bool = True) -> Locked | None:
        """Lock the execution's row for the rest of the transaction; None if there is none.

        Without ``wait`` also None if somebody else holds it.
        """

    async def set_lease(self, execution_id: ExecutionId, owner: str, seconds: float) -> None:
        """Lease the locked execution from now, database time."""

    async def release(self, execution_id: ExecutionId) -> None:
        """Drop the lease of the locked execution."""

    async def let_go(self, execution_id: ExecutionId) -> None:
        """End the lease of the locked execution now; nobody has lost it."""

    async def renew(self, execution_id: ExecutionId, fence: Fence, seconds: float) -> bool:
        """Extend the lease; False when the fence has moved on or the execution has ended."""

    async def get(self, execution_id: ExecutionId) -> Execution | None:
        """Return the execution as it stands."""

    async def events(self, execution_id: ExecutionId) -> list[Event]:
        """Return the execution's events in sequence."""

    async def children(self, execution_id: ExecutionId) -> list[Execution]:
        """Return the executions whose parent this is, oldest first."""

    async def any_child_open(self, execution_id: ExecutionId) -> bool:
        """Whether a child of the execution has not ended; retries of it are no children here."""

    async def recent(
        self,
        *,
        status: str | None = None,
        pipeline: str | None = None,
        limit: int = 50,
    ) -> list[Execution]:
        """Return the newest executions first."""


class Outbox(Protocol):
    """Messages that leave with the transaction that wrote them, or not at all."""

    async def add(
        self, message: Message, *, execution_id: ExecutionId | None = None, delay: float = 0.0
    ) -> None:
        """Put a message in, due ``delay`` seconds from now, database time.

        The same message id twice is one row: the due time said last stands.
        """

    async def claim(
        self,
        *,
        limit: int,
        lease: float,
        exchange: str | None = None,
        but_not: Collection[str] = (),
    ) -> list[OutboxRow]:
        """Lease up to ``limit`` due rows for ``lease`` seconds, oldest first.

        Only those for ``exchange`` if one is named, and none with a routing key in ``but_not``;
        with those the other routing keys share ``limit``.
        """

    async def extend(self, rows: Sequence[OutboxRow], lease: float) -> None:
        """Lengthen the lease of rows still being published."""

    async def release(self, rows: Sequence[OutboxRow], *, delay: float) -> None:
        """Give rows back, due again ``delay`` seconds from now."""

    async def mark_sent(self, rows: Sequence[OutboxRow]) -> None:
        """Remove rows the bus has taken."""

    async def withdraw(self, execution_id: ExecutionId) -> int:
        """Remove an execution's waiting command; return how many rows that was."""

    async def depth(self) -> tuple[int, float]:
        """Return how many rows wait, and how many seconds the oldest due one is late."""
