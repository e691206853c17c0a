"""What a person decides about dead letters: try again (one, some, all), or discard."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from spine_common.core.errors import (
    Conflict,
    DatabaseUnavailable,
    InvalidParams,
    NotRetryable,
    SpineError,
    Unavailable,
)
from spine_common.core.execution import Execution, Status
from spine_common.core.ids import ExecutionId, child_execution_id
from spine_common.core.letters import LetterState
from spine_common.core.pipeline import TriggerSource
from spine_common.framework import workflow
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.ports.database import Database, Transaction
from spine_common.framework.ports.deadletters import KeptLetter, LetterFilter
from spine_common.framework.ports.ledger import NewExecution
from spine_common.framework.resend import send_again

log = structlog.get_logger(__name__)

_RETRY = "retry"
_PAGE = 200
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Retried:
    """A letter that is tried again: as a new execution, or its message once more as it came."""

    dead_letter_id: int
    execution: Execution | None
    is_new: bool
    """False when it had been asked for before."""


@dataclass(frozen=True, slots=True)
class NotRetried:
    """A letter that could not be tried again, and why."""

    dead_letter_id: int
    reason: str


class StoppedHalfway(DatabaseUnavailable):
    """The database went away after some letters were settled: ``done`` is what came of those."""

    def __init__(self, cause: Unavailable, done: list[Retried | NotRetried]) -> None:
        super().__init__(cause.message, remedy="Asked again it goes on, and retries none twice.")
        self.done = done


class DeadLetterReview:
    """Settles dead letters on a person's word. Asking twice changes nothing."""

    def __init__(self, database: Database, nudge: Callable[[], None]) -> None:
        self._database = database
        self._nudge = nudge

    async def retry(self, dead_letter_id: int, *, delay: float = 0.0) -> Retried:
        """Try one letter again, ``delay`` seconds from now.

        Its execution gets a child with the same order; a message that never became one is sent
        once more as it came. Raises ``DeadLetterNotFound`` and ``NotRetryable``.
        """
        for attempt in range(_TRIES):
            try:
                async with self._database.transaction() as tx:
                    retried = await _retry(tx, dead_letter_id, delay)
            except Conflict:
                # The open execution of that key ended between two of our statements.
                if attempt + 1 == _TRIES:
                    raise
            else:
                await reached(Failpoint.RETRY_AFTER)
                self._nudge()
                return retried
        raise AssertionError("unreachable")

    async def retry_execution(
        self, execution_id: ExecutionId, *, delay: float = 0.0
    ) -> list[Retried | NotRetried]:
        """Try the waiting letters of an execution, and of all that it led to, again.

        If none waits: what came of those retried before, or why the discarded ones are not.
        """
        letters = await self.letters_of(
            execution_id, LetterState.WAITING, LetterState.RETRIED, LetterState.DISCARDED
        )
        settled: list[Retried | NotRetried] = []
        with _telling(settled):
            for letter in letters:
                one = await self._retry_or_say(letter, delay)
                settled.append(one)
        return settled

    async def retry_all(
        self, wanted: LetterFilter, *, per_second: float | None = None, limit: int = 10_000
    ) -> list[Retried | NotRetried]:
        """Try every waiting letter that fits again, the oldest first, ``limit`` at most.

        Letters that can't be retried do not count. With a rate they are due one after the other,
        so that a hundred failures of one cause do not come back as one. What fails again meanwhile
        is not tried a second time. Raises ``StoppedHalfway`` if the database goes away.
        """
        if per_second is not None and per_second <= 0:
            raise InvalidParams(
                f"A rate can't be {per_second:g}.", remedy="Letters a second: more than 0."
            )
        pause = 0.0 if per_second is None else 1.0 / per_second
        settled: list[Retried | NotRetried] = []
        retried = ordered = 0
        with _telling(settled):
            async for letter in self.fitting(wanted):
                if retried >= limit:
                    break
                settled.append(one := await self._retry_or_say(letter, ordered * pause))
                retried += isinstance(one, Retried)
                ordered += isinstance(one, Retried) and one.is_new
        return settled

    async def letters_of(self, execution_id: ExecutionId, *states: LetterState) -> list[int]:
        """Return the letters of an execution and of all it led to, in the first of the states.

        That is the first in which any of them is; the letters in the others are left out.
        """
        async with self._database.reading() as tx:
            for state in states:
                if letters := await tx.dead_letters.of_execution(execution_id, [state]):
                    return letters
        return []

    async def discard(self, dead_letter_id: int, because: str) -> bool:
        """Give a letter up, with a reason; False when it had been discarded before."""
        if not because.strip():
            raise InvalidParams("A discarded letter needs a reason.", field="reason")
        async with self._database.transaction() as tx:
            letter = await tx.dead_letters.lock(dead_letter_id)
            if letter.state is LetterState.DISCARDED:
                return False
            if letter.state is not LetterState.WAITING:
                raise _settled(letter)
            await tx.dead_letters.settle(dead_letter_id, LetterState.DISCARDED, because=because)
        log.info("dead_letter_discarded", dead_letter_id=dead_letter_id, because=because)
        return True

    async def fitting(self, wanted: LetterFilter) -> AsyncIterator[int]:
        """Yield the letters that fit now, the oldest first; those that come meanwhile do not."""
        async with self._database.reading() as tx:
            newest = await tx.dead_letters.newest()
        above = 0
        while above < newest:
            async with self._database.reading() as tx:
                page = await tx.dead_letters.ids(wanted, above=above, limit=_PAGE)
            for letter in page:
                if letter <= newest:
                    yield letter
            above = page[-1] if len(page) == _PAGE else newest

    async def _retry_or_say(self, dead_letter_id: int, delay: float) -> Retried | NotRetried:
        try:
            return await self.retry(dead_letter_id, delay=delay)
        except Unavailable:
            raise
        except SpineError as error:
            # What is wrong with one letter keeps no other from being tried.
            return NotRetried(dead_letter_id, str(error))


@contextmanager
def _telling(done: list[Retried | NotRetried]) -> Iterator[None]:
    """Raise what ends the block as ``StoppedHalfway`` if something was done by then."""
    try:
        yield
    except Unavailable as error:
        if not done:
            raise
        raise StoppedHalfway(error, done) from error


async def _retry(tx: Transaction, dead_letter_id: int, delay: float) -> Retried:
    # The execution before its letter, as the desk does: the other way round is a deadlock.
    owner = await tx.dead_letters.execution_of(dead_letter_id)
    locked = await tx.ledger.lock(owner) if owner else None
    letter = await tx.dead_letters.lock(dead_letter_id)
    if letter.state is LetterState.RETRIED:
        earlier = letter.retry_execution_id
        execution = await tx.ledger.get(earlier) if earlier else None
        return Retried(letter.dead_letter_id, execution, is_new=False)
    if letter.state is not LetterState.WAITING:
        raise _settled(letter)
    if locked is None:
        await send_again(tx, letter, delay)
        await tx.dead_letters.settle(letter.dead_letter_id, LetterState.RETRIED)
        return Retried(letter.dead_letter_id, None, is_new=True)
    child, is_new = await _try_again(tx, locked.execution, delay)
    await tx.dead_letters.settle(
        letter.dead_letter_id, LetterState.RETRIED, retry_execution_id=child.execution_id
    )
    log.info("dead_letter_retried", failed=letter.execution_id, execution_id=child.execution_id)
    return Retried(letter.dead_letter_id, child, is_new=is_new)


async def _try_again(tx: Transaction, failed: Execution, delay: float) -> tuple[Execution, bool]:
    """Order a failed execution's work once more, as its child; its id is derived, so only once."""
    if failed.status is not Status.DEAD_LETTERED:
        raise NotRetryable(
            f"Execution {failed.execution_id} is {failed.status}.",
            remedy="Only what was given up is tried again.",
        )
    execution_id = child_execution_id(failed.execution_id, _RETRY)
    is_step = failed.logical_key.startswith(workflow.STEP)
    child, is_new = await tx.ledger.submit(
        NewExecution(
            execution_id=execution_id,
            pipeline=failed.pipeline,
            stage=failed.stage,
            domain=failed.domain,
            lane=failed.lane,
            params=failed.params,
            partition_key=failed.partition_key,
            # An open order for the same is what is wanted, whoever gave it; a step has no equal.
            logical_key=workflow.step_key(execution_id) if is_step else failed.logical_key,
            trigger_source=TriggerSource.DLQ,
            parent_id=failed.execution_id,
        )
    )
    if is_new:
        await workflow.order(tx, child, delay=delay)
    return child, is_new


def _settled(letter: KeptLetter) -> NotRetryable:
    because = f": {letter.settled_because}" if letter.settled_because else ""
    return NotRetryable(
        f"Dead letter {letter.dead_letter_id} is {letter.state}{because}.",
        remedy="Only waiting letters can be retried or discarded.",
    )
