"""The ledger as an auditor reads it: every history, and the executions rebuilt from them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from spine_common.core.errors import SpineError
from spine_common.core.execution import Event, Execution
from spine_common.core.ids import ExecutionId


class LedgerCorrupt(SpineError):
    """Events that tell no execution, or not all of it; nothing is rebuilt from them."""

    code = "LEDGER_CORRUPT"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event, or a stored execution, that can't be read."""

    seq: int
    """Its number, or how many events it knows of; 0 if even that can't be read."""
    why: str


@dataclass(frozen=True, slots=True)
class History:
    """All events of one execution, one at least, and the execution as it is stored, if it is."""

    execution_id: ExecutionId
    events: Sequence[Event | Unreadable] = field(repr=False)
    stored: Execution | Unreadable | None


@dataclass(frozen=True, slots=True)
class Family:
    """A parent whose children contradict it."""

    parent_id: ExecutionId
    problem: str


class Audit(Protocol):
    """What ``spine ledger`` reads and rebuilds."""

    async def histories(self, *, above: ExecutionId | None, limit: int) -> list[History]:
        """Return up to ``limit`` histories by execution id, beginning above one.

        Each is read by one statement: what commits meanwhile is in it whole or not at all. What
        is damaged is in it as ``Unreadable``.
        """

    async def without_events(self) -> list[ExecutionId]:
        """Return stored executions that no event tells of."""

    async def contradictions(self, limit: int) -> list[Family]:
        """Return parents whose children contradict them."""

    async def freeze(self) -> None:
        """Let nobody else change the ledger for the rest of the transaction."""

    async def drop(self) -> None:
        """Remove every stored execution."""

    async def rebuild(self, folded: Sequence[Execution]) -> None:
        """Store executions anew; those under way keep their leases.

        Raises ``LedgerCorrupt`` if the database can't hold them.
        """

    async def let_go(self) -> None:
        """Let the next worker take up what runs by its events and is nobody's by its lease."""
