"""Dead letters as they come about, and the review that settles them."""

from collections.abc import Mapping
from typing import Any

from spine_common.contracts.message import Message
from spine_common.contracts.routing import COMMANDS_EXCHANGE
from spine_common.core.errors import SourceNotFound
from spine_common.core.ids import MessageId
from spine_common.core.letters import LetterState
from spine_common.framework.ports.deadletters import LetterFilter
from spine_common.framework.ports.queries import Row, Window
from spine_common.framework.review import DeadLetterReview

from .builders import failing
from .conftest import Process

WAITING = LetterFilter()
POISON = b'{"half": '


def review_of(process: Process) -> DeadLetterReview:
    return DeadLetterReview(process.database, process.relay.nudge)


async def letters(process: Process, *states: LetterState) -> list[Row]:
    async with process.database.reading() as tx:
        return (await tx.dead_letters.recent(Window(), LetterFilter(states))).rows[::-1]


async def given_up(process: Process, count: int = 1) -> list[int]:
    """Let commands fail for good and return their letters; later runs succeed."""
    await process.start(failing(*[SourceNotFound(f"no file {n}") for n in range(count)]))
    orders = [await process.dispatcher.submit("suite.work", {"n": n}) for n in range(count)]
    for order in orders:
        await process.ended(order)
    return [row["dead_letter_id"] for row in await letters(process, LetterState.WAITING)]


async def sent(process: Process, body: bytes, headers: Mapping[str, Any] | None = None) -> None:
    await process.bus.publish(
        Message(
            MessageId("poison-1"),
            "?",
            COMMANDS_EXCHANGE,
            "normalize.normal.suite",
            body,
            dict(headers or {}),
        )
    )
