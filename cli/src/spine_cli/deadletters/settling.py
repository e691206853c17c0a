"""What is done to dead letters on a person's word, and what came of each of them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spine_cli.answers import window
from spine_cli.deadletters.choice import Choice
from spine_cli.embedded import opened, quiet_settings
from spine_cli.family import below
from spine_common.core.errors import (
    DeadLetterNotFound,
    ExecutionNotFound,
    InvalidParams,
    NotRetryable,
    SpineError,
)
from spine_common.core.execution import Execution
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import TriggerSource

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.framework.ports.database import Transaction
    from spine_common.framework.ports.deadletters import LetterFilter
    from spine_common.framework.review import NotRetried, Retried

_PAGE = 200
_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of one letter: ``refused`` says why nothing did, and is empty otherwise."""

    dead_letter_id: int | None
    is_new: bool = True
    """False when it had been asked for before."""
    execution: Execution | None = None
    refused: str = ""


async def retry_named(names: Sequence[str]) -> list[Settled]:
    """Try letters again: by number, or all that wait of an execution and of what it led to."""
    async with opened(quiet_settings()) as platform:

        async def of_execution(execution_id: ExecutionId) -> list[Settled]:
            asked = await platform.review.retry_execution(execution_id)
            return [_settled(one) for one in asked] or await _before(platform, execution_id)

        async def one(number: int) -> Settled:
            return _settled(await platform.review.retry(number))

        return await _each(names, one, of_execution)


async def retry_fitting(
    choice: Choice, rate: float | None, limit: int
) -> tuple[list[Settled], int]:
    """Try the waiting letters meant again; return what came of each, and how many wait still."""
    async with opened(quiet_settings()) as platform:
        wanted = choice.wanted(platform.registry)
        asked = await platform.review.retry_all(wanted, per_second=rate, limit=limit)
        return [_settled(one) for one in asked], await _count(platform, wanted)


async def discard_named(names: Sequence[str], because: str) -> list[Settled]:
    """Give letters up: by number, or all that wait of an execution and of what it led to."""
    async with opened(quiet_settings()) as platform:

        async def of_execution(execution_id: ExecutionId) -> list[Settled]:
            async with platform.database.reading() as tx:
                letters = await tx.dead_letters.of_execution(execution_id)
                if not letters:
                    raise await _nothing_waits(tx, execution_id)
            return [await _discard(platform, letter, because) for letter in letters]

        return await _each(names, lambda n: _discard(platform, n, because), of_execution)


async def discard_fitting(choice: Choice, because: str) -> list[Settled]:
    """Give up the letters meant that wait now."""
    async with opened(quiet_settings()) as platform:
        wanted = choice.wanted(platform.registry)
        letters: list[int] = []
        async with platform.database.reading() as tx:
            while page := await tx.dead_letters.ids(
                wanted, above=letters[-1] if letters else 0, limit=_PAGE
            ):
                letters += page
        return [await _discard(platform, letter, because) for letter in letters]


async def count(choice: Choice) -> int:
    """Return how many letters are meant."""
    async with opened(quiet_settings()) as platform:
        return await _count(platform, choice.wanted(platform.registry))


async def _count(platform: "Platform", wanted: "LetterFilter") -> int:
    async with platform.database.reading() as tx:
        return (await tx.dead_letters.recent(window(1), wanted)).total


async def _each(
    names: Iterable[str],
    one: Callable[[int], Awaitable[Settled]],
    of_execution: Callable[[ExecutionId], Awaitable[list[Settled]]],
) -> list[Settled]:
    """Settle what each name means; one that can't be settled does not keep the others from it."""
    settled: list[Settled] = []
    for name in names:
        number = _number(name)
        try:
            if number is None:
                settled += await of_execution(ExecutionId(name))
            else:
                settled.append(await one(number))
        except (NotRetryable, DeadLetterNotFound, ExecutionNotFound) as error:
            settled.append(Settled(number, is_new=False, refused=str(error)))
    return settled


def _number(name: str) -> int | None:
    if not (name.isascii() and name.isdigit()):
        return None
    if len(name) > _MOST_DIGITS:
        raise InvalidParams(f"{name} is no letter's number.", remedy="See `spine dlq list`.")
    return int(name)


def _settled(asked: "Retried | NotRetried") -> Settled:
    from spine_common.framework.review import NotRetried  # noqa: PLC0415 - heavy

    if isinstance(asked, NotRetried):
        return Settled(asked.dead_letter_id, is_new=False, refused=asked.reason)
    return Settled(asked.dead_letter_id, asked.is_new, asked.execution)


async def _discard(platform: "Platform", dead_letter_id: int, because: str) -> Settled:
    try:
        is_new = await platform.review.discard(dead_letter_id, because)
    except NotRetryable as error:
        return Settled(dead_letter_id, is_new=False, refused=str(error))
    return Settled(dead_letter_id, is_new)


async def _before(platform: "Platform", execution_id: ExecutionId) -> list[Settled]:
    """Return the retries an execution and what it led to had before; the error if none."""
    async with platform.database.reading() as tx:
        retries = [
            Settled(None, is_new=False, execution=execution)
            for execution in await below(tx, execution_id)
            if execution.trigger_source is TriggerSource.DLQ
        ]
        if not retries:
            raise await _nothing_waits(tx, execution_id)
        return retries


async def _nothing_waits(tx: "Transaction", execution_id: ExecutionId) -> SpineError:
    execution = await tx.ledger.get(execution_id)
    if execution is None:
        return ExecutionNotFound(
            f"There is no execution {execution_id!r}.", remedy="See `spine execution list`."
        )
    return NotRetryable(
        f"Execution {execution_id} is {execution.status}: no dead letter of it waits.",
        remedy="See `spine dlq list --state all`.",
    )
