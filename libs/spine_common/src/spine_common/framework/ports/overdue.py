"""What should have gone on by itself and has not: the sweepers' questions, by database time."""

from dataclasses import dataclass
from typing import Protocol

from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import Lane, Stage


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """A command that was sent and not taken up; where it should be waiting."""

    execution_id: ExecutionId
    stage: Stage
    lane: Lane


class Overdue(Protocol):
    """Executions that wait for something that may never come, the oldest first."""

    async def leases(self, grace: float, limit: int) -> list[ExecutionId]:
        """Return running executions whose lease ended more than ``grace`` seconds ago.

        Not those whose worker let go of them in good order: nobody is lost there.
        """

    async def commands(self, patience: float, limit: int) -> list[Unclaimed]:
        """Return executions sent more than ``patience`` seconds ago, not begun, not in the outbox.

        One that a worker has let go of counts as not begun. Parents, whose children do the work,
        are none of them.
        """

    async def verdicts(self, patience: float, limit: int) -> list[ExecutionId]:
        """Return executions that failed more than ``patience`` seconds ago and got no verdict."""

    async def parents(self, limit: int) -> list[ExecutionId]:
        """Return open parents all of whose children have ended."""

    async def orphans(self, limit: int) -> list[ExecutionId]:
        """Return open children of cancelled parents."""
