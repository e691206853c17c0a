"""Dead letters: messages nobody could use, kept whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from spine_common.core.errors import Kind
from spine_common.core.ids import ExecutionId
from spine_common.framework.ports.queries import Page, Window


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message as it came, why it is dead, and whose attempt it was, if that can be told."""

    queue: str
    message_id: str | None
    body: bytes = field(repr=False)
    headers: Mapping[str, Any] = field(repr=False)
    kind: Kind
    code: str
    reason: str
    execution_id: ExecutionId | None = None
    attempt: int | None = None


class DeadLetters(Protocol):
    """The store of dead letters."""

    async def keep(self, letter: DeadLetter) -> bool:
        """Store a letter; False if this attempt's letter is there already."""

    async def recent(self, window: Window) -> Page:
        """Return the newest letters first, without their bodies."""
