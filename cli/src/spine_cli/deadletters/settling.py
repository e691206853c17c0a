"""What is done to dead letters on a person's word, and what came of each of them."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spine_cli.answers import window
from spine_cli.deadletters.choice import Choice
from spine_cli.embedded import opened, quiet_settings
from spine_cli.naming import execution_named, no_execution
from spine_common.core.errors import (
    DatabaseUnavailable,
    InvalidParams,
    NotRetryable,
    SpineError,
    Unavailable,
)
from spine_common.core.execution import Execution
from spine_common.core.ids import ExecutionId
from spine_common.core.letters import LetterState

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.framework.ports.deadletters import LetterFilter
    from spine_common.framework.review import NotRetried, Retried

_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of one letter: ``refused`` says why nothing did, and is empty otherwise."""

    dead_letter_id: int | None
    is_new: bool = True
    """False when it had been asked for before."""
    execution: Execution | None = None
    refused: str = ""
    asked: ExecutionId | None = None
    """The execution that was named, if it was one."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What came of all that were meant, and ``stopped`` if the database went away half-way."""

    settled: Sequence[Settled]
    waiting: int | None = None
    """How many of those a filter means wait still; None if names were given, or if unknown."""
    stopped: Unavailable | None = None


async def retry_named(names: Sequence[str]) -> Settlement:
    """Try letters again: by number, or all that wait of an execution and of what it led to."""
    meant = [_meant(name) for name in names]
    async with opened(quiet_settings()) as platform:

        async def of_execution(execution_id: ExecutionId) -> AsyncIterator[Settled]:
            done, stopped = await _told(platform.review.retry_execution(execution_id))
            for one in done:
                yield _settled(one, execution_id)
            if stopped is not None:
                raise stopped
            if not done:
                raise await _nothing_waits(platform, execution_id)

        async def one(number: int) -> Settled:
            return _settled(await platform.review.retry(number))

        return await _each(meant, one, of_execution)


async def retry_fitting(choice: Choice, rate: float | None, limit: int) -> Settlement:
    """Try the waiting letters meant again."""
    async with opened(quiet_settings()) as platform:
        wanted = choice.wanted(platform.registry)
        asked = platform.review.retry_all(wanted, per_second=rate, limit=limit)
        done, stopped = await _told(asked)
        settled = [_settled(one) for one in done]
        try:
            waiting = None if stopped else await _count(platform, wanted)
        except Unavailable as error:
            return Settlement(settled, stopped=error)
        return Settlement(settled, waiting, stopped)


async def discard_named(names: Sequence[str], because: str) -> Settlement:
    """Give letters up: by number, or all that wait of an execution and of what it led to."""
    meant = [_meant(name) for name in names]
    async with opened(quiet_settings()) as platform:
        return await _discard_each(platform, meant, because)


async def discard_fitting(choice: Choice, because: str) -> Settlement:
    """Give up the letters meant that wait now."""
    async with opened(quiet_settings()) as platform:
        wanted = choice.wanted(platform.registry)
        letters = [letter async for letter in platform.review.fitting(wanted)]
        return await _discard_each(platform, letters, because)


async def count(choice: Choice) -> int:
    """Return how many letters are meant."""
    async with opened(quiet_settings()) as platform:
        return await _count(platform, choice.wanted(platform.registry))


async def _count(platform: "Platform", wanted: "LetterFilter") -> int:
    async with platform.database.reading() as tx:
        return (await tx.dead_letters.recent(window(1), wanted)).total


async def _each(
    meant: Sequence[int | ExecutionId],
    one: Callable[[int], Awaitable[Settled]],
    of_execution: Callable[[ExecutionId], AsyncIterator[Settled]],
) -> Settlement:
    """Settle what each name means; one that can't be settled does not keep the others from it."""
    settled: list[Settled] = []
    for name in meant:
        try:
            if isinstance(name, int):
                settled.append(await one(name))
            else:
                async for each in of_execution(name):
                    settled.append(each)  # noqa: PERF401 - they are told even if the next fails
        except Unavailable as error:
            if not settled:
                raise
            goes_on = error.remedy or "Asked again it goes on with the rest."
            return Settlement(settled, stopped=DatabaseUnavailable(error.message, remedy=goes_on))
        except SpineError as error:
            settled.append(_refused(name, error))
    return Settlement(settled)


def _meant(name: str) -> int | ExecutionId:
    """Return the letter or the execution named; ``InvalidParams`` for what names neither."""
    if name.isascii() and name.isdigit() and len(name) <= _MOST_DIGITS:
        return int(name)
    if not name.strip() or (name.isascii() and name.isdigit()):
        raise InvalidParams(
            f"{name!r} is no letter's number and no execution's id. Nothing was done.",
            remedy="See `spine dlq list`.",
        )
    return execution_named(name)


def _refused(name: int | ExecutionId, error: SpineError) -> Settled:
    if isinstance(name, int):
        return Settled(name, is_new=False, refused=str(error))
    return Settled(None, is_new=False, refused=str(error), asked=name)


async def _told(
    asked: Awaitable[list["Retried | NotRetried"]],
) -> tuple[list["Retried | NotRetried"], Unavailable | None]:
    """Return what was done, and what stopped it half-way, if anything did."""
    from spine_common.framework.review import StoppedHalfway  # noqa: PLC0415 - heavy

    try:
        return await asked, None
    except StoppedHalfway as stopped:
        return stopped.done, stopped


def _settled(one: "Retried | NotRetried", asked: ExecutionId | None = None) -> Settled:
    from spine_common.framework.review import NotRetried  # noqa: PLC0415 - heavy

    if isinstance(one, NotRetried):
        return Settled(one.dead_letter_id, is_new=False, refused=one.reason, asked=asked)
    return Settled(one.dead_letter_id, one.is_new, one.execution, asked=asked)


async def _discard_each(
    platform: "Platform", meant: Sequence[int | ExecutionId], because: str
) -> Settlement:
    async def one(number: int, asked: ExecutionId | None = None) -> Settled:
        try:
            is_new = await platform.review.discard(number, because)
        except NotRetryable as error:
            return Settled(number, is_new=False, refused=str(error), asked=asked)
        return Settled(number, is_new, asked=asked)

    async def of_execution(execution_id: ExecutionId) -> AsyncIterator[Settled]:
        letters = await platform.review.letters_of(
            execution_id, LetterState.WAITING, LetterState.DISCARDED, LetterState.RETRIED
        )
        if not letters:
            raise await _nothing_waits(platform, execution_id)
        for letter in letters:
            yield await one(letter, execution_id)

    return await _each(meant, one, of_execution)


async def _nothing_waits(platform: "Platform", execution_id: ExecutionId) -> SpineError:
    async with platform.database.reading() as tx:
        execution = await tx.ledger.get(execution_id)
    if execution is None:
        return no_execution(execution_id)
    return NotRetryable(
        f"Execution {execution_id} is {execution.status}: no dead letter of it waits.",
        remedy="See `spine dlq list --state all`.",
    )
