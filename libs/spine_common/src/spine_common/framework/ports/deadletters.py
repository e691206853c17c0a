"""Dead letters: messages nobody could use, kept whole until a person has settled them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from spine_common.core.errors import Kind
from spine_common.core.ids import ExecutionId
from spine_common.core.letters import LetterState
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
    shape: str
    """The message's type, or what it is instead of a message of ours."""
    state: LetterState = LetterState.WAITING
    execution_id: ExecutionId | None = None
    attempt: int | None = None
    pipeline: str | None = None
    partition_key: str | None = None
    redelivered: bool = False
    """Whether the broker delivered it before, so that an equal letter may be this very one."""


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A stored letter, locked for the rest of the transaction when it came from ``lock``."""

    dead_letter_id: int
    state: LetterState
    received_at: datetime
    execution_id: ExecutionId | None
    retry_execution_id: ExecutionId | None
    settled_because: str | None
    body: bytes = field(repr=False)
    headers: Mapping[str, Any] = field(repr=False)
    code: str
    seen: int
    """How often it came; it waits anew at most once for each time."""


WAITING = (LetterState.WAITING,)


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are meant; what is None, or no state at all, does not matter.

    ``since`` itself counts, ``until`` does not.
    """

    states: Sequence[LetterState] = WAITING
    pipeline: str | None = None
    partition_key: str | None = None
    code: str | None = None
    shape: str | None = None
    since: datetime | None = None
    until: datetime | None = None


ALL_LETTERS = LetterFilter(states=())


class DeadLetters(Protocol):
    """The store of dead letters."""

    async def keep(self, letter: DeadLetter) -> bool:
        """Store a letter; False if it is there already, which is then counted once more.

        One letter for each attempt of an execution. A message without one is the same as an
        equal one that waits if it has the same message id, or if the broker delivered it before.

        A letter that was ``rescheduled``, ``moot``, or ``retried`` as it came, waits again and says
        what the new one says if that one waits: it is for a person after all.
        """

    async def recent(self, window: Window, wanted: LetterFilter = ALL_LETTERS) -> Page:
        """Return letters, the newest first, without their bodies."""

    async def show(self, dead_letter_id: int) -> dict[str, Any]:
        """Return one letter whole; ``DeadLetterNotFound`` if there is none."""

    async def execution_of(self, dead_letter_id: int) -> ExecutionId | None:
        """Return whose letter it is, which never changes; ``DeadLetterNotFound`` if there is none.

        For who has to lock both: the execution is locked before its letter, always.
        """

    async def lock(self, dead_letter_id: int) -> KeptLetter:
        """Lock one letter; ``DeadLetterNotFound`` if there is none."""

    async def settle(
        self,
        dead_letter_id: int,
        state: LetterState,
        *,
        because: str | None = None,
        retry_execution_id: ExecutionId | None = None,
    ) -> None:
        """Write down what became of a locked letter."""

    async def ids(self, wanted: LetterFilter, *, above: int = 0, limit: int = 1000) -> list[int]:
        """Return the ids of letters, oldest first, beginning above one."""

    async def newest(self) -> int:
        """Return the id of the letter that came last; 0 if there is none."""

    async def of_execution(
        self, execution_id: ExecutionId, states: Sequence[LetterState] = WAITING
    ) -> list[int]:
        """Return the ids of the letters of an execution and of all that it led to, oldest first."""

    async def groups(self, wanted: LetterFilter, window: Window) -> Page:
        """Return letters by cause: code, pipeline, shape, with count, first and last seen.

        ``count`` counts every time a letter was seen; ``letters`` counts letters; ``example`` is
        the reason of the newest of them, ``newest_id``.
        """
