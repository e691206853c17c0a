"""Messages nobody could use, kept whole: bytes, headers, reason, and what became of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.letterrows import fingerprint_of, once_more, row_of
from spine_common.adapters.database.statements import insert_into
from spine_common.adapters.database.tables import dead_letters, executions
from spine_common.adapters.database.types import db_now
from spine_common.core.errors import DeadLetterNotFound
from spine_common.core.ids import ExecutionId
from spine_common.core.letters import LetterState
from spine_common.core.texts import storable
from spine_common.framework.ports.deadletters import (
    ALL_LETTERS,
    WAITING,
    DeadLetter,
    KeptLetter,
    LetterFilter,
)
from spine_common.framework.ports.queries import Page, Window

_WAITING = LetterState.WAITING.value
_LISTED = [c for c in dead_letters.c if c.name not in {"body", "fingerprint"}]


class SqlDeadLetters:
    """The dead letters' room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def keep(self, letter: DeadLetter) -> bool:
        """Store a letter; False if it is there already, which is then counted once more."""
        fingerprint = fingerprint_of(letter)
        may_be_here = letter.execution_id is None and (letter.message_id or letter.redelivered)
        if may_be_here and await self._count_again(fingerprint):
            return False
        new = insert_into(self._connection, dead_letters).values(
            received_at=db_now(),
            last_seen_at=db_now(),
            fingerprint=fingerprint,
            **row_of(letter),
        )
        # One statement: whoever settles the stored letter meanwhile is waited for, then judged.
        kept = await self._connection.execute(
            new.on_conflict_do_update(
                index_elements=["execution_id", "attempt"], set_=once_more(new.excluded)
            ).returning(dead_letters.c.seen)
        )
        return bool(kept.scalar_one() == 1)

    async def _count_again(self, fingerprint: str) -> bool:
        equal = (dead_letters.c.fingerprint == fingerprint) & (dead_letters.c.state == _WAITING)
        first = select(func.min(dead_letters.c.dead_letter_id)).where(equal).scalar_subquery()
        counted = await self._connection.execute(
            update(dead_letters)
            .where(dead_letters.c.dead_letter_id == first)
            .values(seen=dead_letters.c.seen + 1, last_seen_at=db_now())
        )
        return counted.rowcount == 1

    async def recent(self, window: Window, wanted: LetterFilter = ALL_LETTERS) -> Page:
        """Return letters, the newest first, without their bodies."""
        query = _filtered(select(*_LISTED), wanted).order_by(dead_letters.c.dead_letter_id.desc())
        return await self._page(query, window)

    async def show(self, dead_letter_id: int) -> dict[str, Any]:
        """Return one letter whole; ``DeadLetterNotFound`` if there is none."""
        found = await self._connection.execute(
            select(dead_letters).where(dead_letters.c.dead_letter_id == dead_letter_id)
        )
        row = found.mappings().first()
        if row is None:
            raise _not_found(dead_letter_id)
        return {**row, "body": bytes(row["body"])}

    async def execution_of(self, dead_letter_id: int) -> ExecutionId | None:
        """Return whose letter it is, unlocked; ``DeadLetterNotFound`` if there is none."""
        found = await self._connection.execute(
            select(dead_letters.c.execution_id).where(
                dead_letters.c.dead_letter_id == dead_letter_id
            )
        )
        row = found.first()
        if row is None:
            raise _not_found(dead_letter_id)
        return None if row.execution_id is None else ExecutionId(row.execution_id)

    async def lock(self, dead_letter_id: int) -> KeptLetter:
        """Lock one letter; ``DeadLetterNotFound`` if there is none."""
        found = await self._connection.execute(
            select(dead_letters)
            .where(dead_letters.c.dead_letter_id == dead_letter_id)
            .with_for_update()
        )
        row = found.first()
        if row is None:
            raise _not_found(dead_letter_id)
        return KeptLetter(
            dead_letter_id=row.dead_letter_id,
            state=LetterState(row.state),
            received_at=row.received_at,
            execution_id=row.execution_id,
            retry_execution_id=row.retry_execution_id,
            settled_because=row.settled_because,
            body=bytes(row.body),
            headers=row.headers,
            code=row.code,
            seen=row.seen,
        )

    async def settle(
        self,
        dead_letter_id: int,
        state: LetterState,
        *,
        because: str | None = None,
        retry_execution_id: ExecutionId | None = None,
    ) -> None:
        """Write down what became of a locked letter."""
        await self._connection.execute(
            update(dead_letters)
            .where(dead_letters.c.dead_letter_id == dead_letter_id)
            .values(
                state=state.value,
                settled_at=db_now(),
                settled_because=None if because is None else storable(because),
                retry_execution_id=retry_execution_id,
            )
        )

    async def ids(self, wanted: LetterFilter, *, above: int = 0, limit: int = 1000) -> list[int]:
        """Return the ids of letters, oldest first, beginning above one."""
        query = _filtered(select(dead_letters.c.dead_letter_id), wanted)
        query = query.where(dead_letters.c.dead_letter_id > above)
        found = await self._connection.execute(
            query.order_by(dead_letters.c.dead_letter_id).limit(limit)
        )
        return [row.dead_letter_id for row in found]

    async def newest(self) -> int:
        """Return the id of the letter that came last; 0 if there is none."""
        return await self._connection.scalar(select(func.max(dead_letters.c.dead_letter_id))) or 0

    async def of_execution(
        self, execution_id: ExecutionId, states: Sequence[LetterState] = WAITING
    ) -> list[int]:
        """Return the ids of the letters of an execution and of all that it led to."""
        # From the id and not from its row: a letter can name an execution the ledger has not.
        itself = select(cast(execution_id, Text).label("execution_id"))
        family = itself.cte("family", recursive=True)
        family = family.union(
            select(executions.c.execution_id).join(
                family, executions.c.parent_id == family.c.execution_id
            )
        )
        found = await self._connection.execute(
            select(dead_letters.c.dead_letter_id)
            .where(dead_letters.c.execution_id.in_(select(family.c.execution_id)))
            .where(dead_letters.c.state.in_([state.value for state in states]))
            .order_by(dead_letters.c.dead_letter_id)
        )
        return [row.dead_letter_id for row in found]

    async def groups(self, wanted: LetterFilter, window: Window) -> Page:
        """Return letters by cause: code, pipeline, shape, with count, first and last seen."""
        cause = (dead_letters.c.code, dead_letters.c.pipeline, dead_letters.c.shape)
        query = select(
            *cause,
            func.min(dead_letters.c.kind).label("kind"),
            func.sum(dead_letters.c.seen).label("count"),
            func.count().label("letters"),
            func.min(dead_letters.c.received_at).label("first_seen"),
            func.max(dead_letters.c.last_seen_at).label("last_seen"),
            func.max(dead_letters.c.dead_letter_id).label("newest_id"),
        )
        query = _filtered(query, wanted).group_by(*cause)
        total = await self._count(query)
        ordered = query.order_by(func.count().desc(), *cause)
        causes = ordered.limit(window.limit).offset(window.offset).subquery()
        # Joined to a page of causes: the reasons of all letters need not be read.
        found = await self._connection.execute(
            select(causes, dead_letters.c.reason.label("example"))
            .join(dead_letters, dead_letters.c.dead_letter_id == causes.c.newest_id)
            .order_by(causes.c.letters.desc(), causes.c.code, causes.c.pipeline, causes.c.shape)
        )
        return Page([{**row, "count": int(row["count"])} for row in found.mappings()], total)

    async def _page(self, query: Select[Any], window: Window) -> Page:
        total = await self._count(query.order_by(None))
        found = await self._connection.execute(query.limit(window.limit).offset(window.offset))
        return Page([dict(row) for row in found.mappings()], total)

    async def _count(self, query: Select[Any]) -> int:
        counted = select(func.count()).select_from(query.subquery())
        return await self._connection.scalar(counted) or 0


def _filtered(query: Select[Any], wanted: LetterFilter) -> Select[Any]:
    equal: Sequence[tuple[ColumnElement[Any], Any]] = (
        (dead_letters.c.pipeline, wanted.pipeline),
        (dead_letters.c.partition_key, wanted.partition_key),
        (dead_letters.c.code, wanted.code),
        (dead_letters.c.shape, wanted.shape),
    )
    for column, value in equal:
        if value is not None:
            query = query.where(column == value)
    if wanted.states:
        query = query.where(dead_letters.c.state.in_([state.value for state in wanted.states]))
    if wanted.since is not None:
        query = query.where(dead_letters.c.received_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(dead_letters.c.received_at < wanted.until)
    return query


def _not_found(dead_letter_id: int) -> DeadLetterNotFound:
    return DeadLetterNotFound(
        f"There is no dead letter {dead_letter_id}.", remedy="See `spine dlq list`."
    )
