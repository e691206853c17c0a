"""What the database knows of dead letters: a list, their causes, one of them whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spine_cli.answers import window
from spine_cli.deadletters.body import body_document
from spine_cli.deadletters.choice import Choice
from spine_cli.documents import execution_document
from spine_cli.embedded import opened, quiet_settings
from spine_cli.render import Row
from spine_common.core.execution import Execution
from spine_common.core.ids import ExecutionId

if TYPE_CHECKING:
    from spine_common.framework.ports.queries import Page

_TOLD = (
    *("dead_letter_id", "state", "received_at", "last_seen_at", "seen", "kind", "code", "reason"),
    *("pipeline", "shape", "queue", "message_id", "execution_id", "attempt"),
    *("retry_execution_id", "settled_at", "settled_because"),
)


@dataclass(frozen=True, slots=True)
class Whole:
    """One letter with all it has, and the executions it tells of, as far as they are known."""

    row: Row = field(repr=False)
    execution: Execution | None
    retry: Execution | None

    @property
    def body(self) -> bytes:
        """Return the message as it came."""
        body: bytes = self.row["body"]
        return body


async def recent(choice: Choice, limit: int) -> "Page":
    """Return the letters meant, the newest first, and how many there are."""
    async with opened(quiet_settings()) as platform, platform.database.reading() as tx:
        return await tx.dead_letters.recent(window(limit), choice.wanted(platform.registry))


async def causes(choice: Choice, limit: int) -> "Page":
    """Return the letters meant by what they have in common, the most numerous first."""
    async with opened(quiet_settings()) as platform, platform.database.reading() as tx:
        return await tx.dead_letters.groups(choice.wanted(platform.registry), window(limit))


async def whole(dead_letter_id: int) -> Whole:
    """Return one letter; ``DeadLetterNotFound`` if there is none."""
    async with opened(quiet_settings()) as platform, platform.database.reading() as tx:
        row = await tx.dead_letters.show(dead_letter_id)

        async def execution(name: str) -> Execution | None:
            return await tx.ledger.get(ExecutionId(row[name])) if row[name] else None

        return Whole(row, await execution("execution_id"), await execution("retry_execution_id"))


def letter_document(row: Row) -> dict[str, Any]:
    """Return one letter without what the message itself says."""
    told = {name: row[name] for name in _TOLD}
    return {"id": row["dead_letter_id"], **told, "partition": row["partition_key"]}


def whole_document(letter: Whole) -> Mapping[str, Any]:
    """Return one letter with headers, body and executions."""
    return {
        **letter_document(letter.row),
        "headers": letter.row["headers"],
        "body": body_document(letter.body),
        "execution": execution_document(letter.execution) if letter.execution else None,
        "retry": execution_document(letter.retry) if letter.retry else None,
    }
