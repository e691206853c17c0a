"""What every chore is given, and how it goes through a list without stumbling over one entry."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from spine_common.bootstrap.platform import Platform
from spine_common.core.errors import SpineError, Unavailable
from spine_common.core.execution import Execution, Status
from spine_common.framework.deadletters import judge_unseen
from spine_common.framework.ports.database import Transaction

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 200
"""Entries a chore takes up in one turn, so that no chore keeps the others waiting."""

_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class Sweep:
    """The parts of the platform a chore may use, and its patience in seconds."""

    platform: Platform
    patience: float

    async def judge(self, tx: Transaction, failed: Execution) -> None:
        """Give a failed execution its verdict, its letter written anew, and count the end."""
        platform = self.platform
        judged = await judge_unseen(tx, platform.registry, platform.policy, failed)
        if judged.status is Status.DEAD_LETTERED:
            platform.metrics.dead_letters.labels(judged.pipeline).inc()

    @property
    def grace(self) -> float:
        """How long after its end a lease counts as lost: the broker redelivers sooner."""
        return self.platform.terms.heartbeat * 2


Chore = Callable[[Sweep], Awaitable[int]]
"""Does one turn and returns how many executions it moved on."""


async def each(
    entries: Iterable[_Entry], take_up: Callable[[_Entry], Awaitable[bool]], chore: str
) -> int:
    """Take up entries one by one; one that fails is logged and left for the next turn."""
    moved = 0
    for entry in entries:
        try:
            moved += await take_up(entry)
        except Unavailable:
            raise
        except SpineError as error:
            log.warning("chore_failed_for", chore=chore, entry=str(entry), error=str(error))
    return moved
