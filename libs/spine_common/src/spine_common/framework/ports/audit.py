"""The ledger as an auditor reads it: every history, and the executions rebuilt from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from spine_common.core.execution import Event, Execution
from spine_common.core.ids import ExecutionId


@dataclass(frozen=True, slots=True)
class History:
    """All events of one execution, and the execution as it is stored: None if it is not."""

    execution_id: ExecutionId
    events: Sequence[Event] = field(repr=False)
    stored: Execution | None


@dataclass(frozen=True, slots=True)
class Family:
    """A parent whose children contradict it."""

    parent_id: ExecutionId
    problem: str


class Audit(Protocol):
    """What ``spine ledger`` reads and rebuilds."""

    async def histories(self, *, above: ExecutionId | None, limit: int) -> list[History]:
        """Return up to ``limit`` histories by execution id, beginning above one.

        Each is read by one statement: what commits meanwhile is in it whole or not at all.
        """

    async def without_events(self, limit: int) -> list[ExecutionId]:
        """Return stored executions that no event tells of."""

    async def contradictions(self, limit: int) -> list[Family]:
        """Return parents whose children contradict them."""

    async def freeze(self) -> None:
        """Let nobody else change the ledger for the rest of the transaction."""

    async def drop(self) -> int:
        """Remove every stored execution; return how many no event tells of."""

    async def rebuild(self, folded: Sequence[Execution]) -> None:
        """Store executions anew; those under way keep their leases."""
