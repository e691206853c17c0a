"""What every chore is given, and how it goes through a list without stumbling over one entry."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from spine_common.bootstrap.platform import Platform
from spine_common.contracts.routing import work_queue
from spine_common.core.errors import SpineError, Unavailable
from spine_common.core.execution import Execution, Status
from spine_common.core.pipeline import WORK_ROADS, Road
from spine_common.framework.deadletters import judge_unseen
from spine_common.framework.ports.database import Transaction
from spine_common.framework.ports.overdue import Expired, Overdue

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 200
"""Entries a chore moves on in one turn, so that no chore keeps the others waiting."""
OUTAGES = 3
"""Entries in a row for which something was away, after which the rest waits for another turn."""

_Entry = TypeVar("_Entry")
_Ask = Callable[[int, int], Awaitable[Sequence[_Entry]]]
_Question = Callable[[Overdue, int, int], Awaitable[Sequence[_Entry]]]


@dataclass(frozen=True, slots=True)
class Sweep:
    """The parts of the platform a chore may use, and its patience in seconds."""

    platform: Platform
    patience: float
    expired: dict[Expired, float] = field(default_factory=dict)
    """Leases found over in the turn before, and when they were first seen so, monotonic."""

    async def judge(self, tx: Transaction, failed: Execution) -> None:
        """Give a failed execution its verdict, its letter written anew, and count the end."""
        platform = self.platform
        judged = await judge_unseen(tx, platform.registry, platform.policy, failed)
        if judged.status is Status.DEAD_LETTERED:
            platform.metrics.dead_letters.labels(judged.pipeline).inc()

    async def empty_roads(self) -> list[Road]:
        """Return the work queues in which nothing waits; one that is not there is none of them."""
        empty: list[Road] = []
        for road in WORK_ROADS:
            try:
                if await self.platform.bus.waiting(work_queue(*road)) == 0:
                    empty.append(road)
            except Unavailable:
                raise
            except SpineError as error:
                log.warning("queue_not_seen", queue=work_queue(*road), error=str(error))
        return empty

    def asking(self, question: _Question[_Entry]) -> _Ask[_Entry]:
        """Return how ``through`` asks the ledger a question, each time in a transaction."""

        async def ask(limit: int, skip: int) -> Sequence[_Entry]:
            async with self.platform.database.reading() as tx:
                return await question(tx.overdue, limit, skip)

        return ask

    @property
    def grace(self) -> float:
        """How long after its end a lease counts as lost: the broker redelivers sooner."""
        return self.platform.terms.heartbeat * 2


Chore = Callable[[Sweep], Awaitable[int]]
"""Does one turn and returns how many executions it moved on."""


async def through(
    ask: _Ask[_Entry],
    take_up: Callable[[_Entry], Awaitable[bool]],
    chore: str,
) -> int:
    """Take up, one by one, what ``ask`` returns for a limit and a number to skip.

    One that fails is logged and left for the next turn; those after it get theirs in this one.
    """
    moved = left = outages = 0
    while moved < MOST_AT_ONCE:
        page = await ask(MOST_AT_ONCE, left)
        for entry in page:
            done = False
            try:
                done = await take_up(entry)
                outages = 0
            except Exception as error:
                # A row somebody holds too long looks like an outage, too: the next one tells.
                outages = outages + 1 if isinstance(error, Unavailable) else 0
                _log(chore, entry, error)
                if outages == OUTAGES:
                    raise
            moved, left = moved + done, left + (not done)
        if len(page) < MOST_AT_ONCE:
            break
    return moved


def _log(chore: str, entry: object, error: Exception) -> None:
    ours = isinstance(error, SpineError)
    log.warning(
        "chore_failed_for", chore=chore, entry=str(entry), error=str(error), exc_info=not ours
    )
