"""What should have gone on by itself and has not: the sweepers' questions, by database time."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import Road


@dataclass(frozen=True, slots=True)
class Expired:
    """A lease that is over; equal to itself until somebody renews it."""

    execution_id: ExecutionId
    lease_until: datetime


class Overdue(Protocol):
    """Executions that wait for something that may never come, the oldest first.

    Each question returns ``limit`` at most, leaving out the first ``skip``.
    """

    async def leases(self, grace: float, limit: int, skip: int = 0) -> list[Expired]:
        """Return running executions whose lease ended more than ``grace`` seconds ago.

        Not those whose worker let go of them in good order: nobody is lost there. Nor those
        whose command is on its way to the next worker, in the outbox or sent since.
        """

    async def commands(
        self, patience: float, roads: Collection[Road], limit: int, skip: int = 0
    ) -> list[ExecutionId]:
        """Return executions sent more than ``patience`` seconds ago, not begun, not in the outbox.

        Only those that should wait in one of the ``roads``. One that a worker has let go of
        counts as not begun, and so does one whose command was sent again after the worker's
        lease. Parents, whose children do the work, are none of them.
        """

    async def verdicts(self, patience: float, limit: int, skip: int = 0) -> list[ExecutionId]:
        """Return executions that failed more than ``patience`` seconds ago and got no verdict."""

    async def parents(self, limit: int, skip: int = 0) -> list[ExecutionId]:
        """Return open parents all of whose children have ended."""

    async def orphans(self, limit: int, skip: int = 0) -> list[ExecutionId]:
        """Return open children of cancelled parents."""
