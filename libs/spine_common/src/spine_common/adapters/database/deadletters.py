"""Messages nobody could use, kept whole: bytes, headers, reason."""

import base64
import math
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.statements import insert_into
from spine_common.adapters.database.tables import dead_letters
from spine_common.adapters.database.types import db_now
from spine_common.core.texts import storable
from spine_common.framework.ports.deadletters import DeadLetter
from spine_common.framework.ports.queries import Page, Window


class SqlDeadLetters:
    """The dead letters' room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, letter: DeadLetter) -> bool:
        """Store a letter; False if this attempt's letter is there already."""
        inserted = await self._connection.execute(
            insert_into(self._connection, dead_letters)
            .values(
                received_at=db_now(),
                message_id=storable(letter.message_id or "") or None,
                queue=letter.queue,
                body=letter.body,
                headers=_json_safe(letter.headers),
                execution_id=letter.execution_id,
                attempt=letter.attempt,
                kind=letter.kind.value,
                code=letter.code,
                reason=storable(letter.reason),
            )
            .on_conflict_do_nothing()
            .returning(dead_letters.c.dead_letter_id)
        )
        return inserted.first() is not None

    async def recent(self, window: Window) -> Page:
        """Return the newest letters first, without their bodies."""
        columns = [column for column in dead_letters.c if column.name != "body"]
        query = select(*columns).order_by(dead_letters.c.dead_letter_id.desc())
        found = await self._connection.execute(query.limit(window.limit).offset(window.offset))
        total = await self._connection.scalar(select(func.count()).select_from(dead_letters))
        return Page([dict(row) for row in found.mappings()], total or 0)


def _json_safe(value: Any) -> Any:
    """Keep every header in JSON, whatever AMQP type it had."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case bytes() | bytearray():
            return {"base64": base64.b64encode(value).decode()}
        case dict():
            return {str(key): _json_safe(item) for key, item in value.items()}
        case list() | tuple():
            return [_json_safe(item) for item in value]
        case _:
            return str(value)
