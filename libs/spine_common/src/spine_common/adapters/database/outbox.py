"""Messages that leave with the transaction that wrote them; relays lease them by token."""

import secrets
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, Select, delete, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.statements import insert_into
from spine_common.adapters.database.tables import outbox
from spine_common.adapters.database.types import db_now, seconds_until
from spine_common.contracts.message import Message
from spine_common.core.ids import ExecutionId, MessageId
from spine_common.framework.ports.ledger import OutboxRow


def _to_row(row: Row[Any], token: str) -> OutboxRow:
    message = Message(
        message_id=MessageId(row.message_id),
        type=row.type,
        exchange=row.exchange,
        routing_key=row.routing_key,
        body=bytes(row.body),
        headers=row.headers,
    )
    return OutboxRow(row.outbox_id, message, row.execution_id, token)


class SqlOutbox:
    """The outbox's room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(
        self, message: Message, *, execution_id: ExecutionId | None = None, delay: float = 0.0
    ) -> None:
        """Put a message in, due ``delay`` seconds from now, database time."""
        statement = insert_into(self._connection, outbox).values(
            message_id=message.message_id,
            type=message.type,
            exchange=message.exchange,
            routing_key=message.routing_key,
            body=message.body,
            headers=dict(message.headers),
            execution_id=execution_id,
            created_at=db_now(),
            available_at=db_now(delay),
        )
        # A consumer can be faster than the relay's mark. Taking the token away from the relay
        # that still holds the row keeps the row when the mark comes.
        again = statement.on_conflict_do_update(
            index_elements=["message_id"],
            set_={"available_at": db_now(delay), "claimed_until": None, "claim_token": None},
        )
        await self._connection.execute(again)

    async def claim(
        self,
        *,
        limit: int,
        lease: float,
        exchange: str | None = None,
        but_not: Collection[str] = (),
    ) -> list[OutboxRow]:
        """Lease up to ``limit`` due rows for ``lease`` seconds, oldest first."""
        token = secrets.token_hex(8)
        due = (
            select(outbox.c.outbox_id)
            .where(true() if exchange is None else outbox.c.exchange == exchange)
            .where(outbox.c.available_at <= db_now())
            .where(or_(outbox.c.claimed_until.is_(None), outbox.c.claimed_until < db_now()))
            .order_by(outbox.c.outbox_id)
            .with_for_update(skip_locked=True)
        )
        chosen: Select[tuple[int]] | list[int]
        if but_not:
            chosen = await self._shared_out(due, but_not, limit)
        else:
            # As a plain subquery it may be run once for every row of the outbox, and then each
            # run locks ``limit`` more.
            first = due.limit(limit).cte("due").prefix_with("MATERIALIZED", dialect="postgresql")
            chosen = select(first.c.outbox_id)
        claimed = await self._connection.execute(
            update(outbox)
            .where(outbox.c.outbox_id.in_(chosen))
            .values(claimed_until=db_now(lease), claim_token=token)
            .returning(outbox)
        )
        rows = (_to_row(row, token) for row in claimed.all())
        return sorted(rows, key=lambda row: row.outbox_id)

    async def _shared_out(
        self, due: Select[tuple[int]], but_not: Collection[str], limit: int
    ) -> list[int]:
        """Return due rows of each road that is open, the same number of each at most.

        Going by age would read past everything that waits for a road that is blocked.
        """
        roads = [road for road in await self._roads() if road not in but_not]
        chosen: list[int] = []
        for road in roads:
            share = due.where(outbox.c.routing_key == road).limit(-(-limit // len(roads)))
            chosen += [row.outbox_id for row in await self._connection.execute(share)]
        return chosen[:limit]

    async def _roads(self) -> list[str]:
        """Return the routing keys in the outbox, hopping from one to the next in their index."""
        first = select(func.min(outbox.c.routing_key).label("road")).cte("roads", recursive=True)
        following = (
            select(func.min(outbox.c.routing_key))
            .where(outbox.c.routing_key > first.c.road)
            .correlate(first)
            .scalar_subquery()
        )
        roads = first.union_all(select(following).where(first.c.road.is_not(None)))
        found = await self._connection.execute(select(roads.c.road))
        return [road for (road,) in found if road is not None]

    async def extend(self, rows: Sequence[OutboxRow], lease: float) -> None:
        """Lengthen the lease of rows still being published."""
        for token, ids in _by_token(rows).items():
            await self._connection.execute(
                update(outbox)
                .where(outbox.c.outbox_id.in_(ids), outbox.c.claim_token == token)
                .values(claimed_until=db_now(lease))
            )

    async def release(self, rows: Sequence[OutboxRow], *, delay: float) -> None:
        """Give rows back, due again ``delay`` seconds from now."""
        for token, ids in _by_token(rows).items():
            await self._connection.execute(
                update(outbox)
                .where(outbox.c.outbox_id.in_(ids), outbox.c.claim_token == token)
                .values(claimed_until=None, claim_token=None, available_at=db_now(delay))
            )

    async def mark_sent(self, rows: Sequence[OutboxRow]) -> None:
        """Remove rows the bus has taken."""
        for token, ids in _by_token(rows).items():
            await self._connection.execute(
                delete(outbox).where(outbox.c.outbox_id.in_(ids), outbox.c.claim_token == token)
            )

    async def withdraw(self, execution_id: ExecutionId) -> int:
        """Remove an execution's waiting command; return how many rows that was."""
        gone = await self._connection.execute(
            delete(outbox).where(outbox.c.execution_id == execution_id)
        )
        return gone.rowcount

    async def depth(self) -> tuple[int, float]:
        """Return how many rows wait, and how many seconds the oldest due one is late."""
        count = await self._connection.scalar(select(func.count()).select_from(outbox))
        late = await self._connection.scalar(
            select(seconds_until(outbox.c.available_at)).order_by(outbox.c.available_at).limit(1)
        )
        return count or 0, max(0.0, -float(late or 0.0))


def _by_token(rows: Sequence[OutboxRow]) -> dict[str, list[int]]:
    tokens: dict[str, list[int]] = {}
    for row in rows:
        tokens.setdefault(row.claim_token, []).append(row.outbox_id)
    return tokens
