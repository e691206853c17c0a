"""How handling one command ended; only the bus turns it into an ack or a reject."""

from dataclasses import dataclass
from typing import assert_never

from spine_common.core.errors import Kind
from spine_common.core.ids import ExecutionId
from spine_common.framework.ports.bus import Verdict


@dataclass(frozen=True, slots=True)
class Done:
    """The execution ended: completed or skipped."""

    status: str


@dataclass(frozen=True, slots=True)
class Stale:
    """A duplicate, a cancelled or a finished execution: nothing is left to do."""

    reason: str


@dataclass(frozen=True, slots=True)
class PutBack:
    """Somebody else works on it; the command waits in the outbox until their lease is over."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed and is recorded so; the dead-letter service decides what follows."""

    execution_id: ExecutionId | None
    kind: Kind
    code: str
    message: str


Outcome = Done | Stale | PutBack | Failed


def verdict_of(outcome: Outcome) -> Verdict:
    """Say what becomes of the delivery."""
    match outcome:
        case Done() | Stale() | PutBack():
            return Verdict.ACK
        case Failed():
            return Verdict.REJECT
        case _:
            assert_never(outcome)
