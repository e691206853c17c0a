"""One transaction over all rooms: it commits whole when its block ends, or not at all."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spine_common.adapters.database.audit import SqlAudit
from spine_common.adapters.database.bulk import SqlTables
from spine_common.adapters.database.captures import SqlCaptures
from spine_common.adapters.database.deadletters import SqlDeadLetters
from spine_common.adapters.database.engine import PATIENCE_SECONDS, open_engine, writing
from spine_common.adapters.database.evidence import SqlEvidence
from spine_common.adapters.database.faults import FAULTS, in_our_words, lost_its_node
from spine_common.adapters.database.ledger import SqlLedger
from spine_common.adapters.database.manifest import SqlManifest
from spine_common.adapters.database.migrate import check_schema
from spine_common.adapters.database.outbox import SqlOutbox
from spine_common.adapters.database.overdue import SqlOverdue
from spine_common.adapters.database.queries import SqlQueries
from spine_common.adapters.database.types import db_now
from spine_common.framework.ports.audit import Audit
from spine_common.framework.ports.data import Captures, Evidence, Manifest, Tables
from spine_common.framework.ports.database import Transaction
from spine_common.framework.ports.deadletters import DeadLetters
from spine_common.framework.ports.ledger import Ledger, Outbox
from spine_common.framework.ports.overdue import Overdue
from spine_common.framework.ports.queries import Queries


class SqlTransaction:
    """The rooms of one connection's transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.ledger: Ledger = SqlLedger(connection)
        self.outbox: Outbox = SqlOutbox(connection)
        self.captures: Captures = SqlCaptures(connection)
        self.manifest: Manifest = SqlManifest(connection)
        self.tables: Tables = SqlTables(connection)
        self.evidence: Evidence = SqlEvidence(connection)
        self.dead_letters: DeadLetters = SqlDeadLetters(connection)
        self.queries: Queries = SqlQueries(connection)
        self.overdue: Overdue = SqlOverdue(connection)
        self.audit: Audit = SqlAudit(connection)

    async def now(self) -> datetime:
        """Return the database's time, UTC."""
        return (await self._connection.execute(select(db_now()))).scalar_one()

    async def sit_still(self) -> None:
        """Let this transaction say nothing for a minute: it holds no row that anybody waits for."""
        if self._connection.dialect.name == "postgresql":
            timeout = f"SET LOCAL idle_in_transaction_session_timeout = '{PATIENCE_SECONDS:.0f}s'"
            await self._connection.execute(text(timeout))

    async def takes(self, office: str) -> bool:
        """Whether this transaction holds an office until it ends; on SQLite everybody may.

        There the writes of two who lead take turns as they are, and each looks before it writes.
        """
        if self._connection.dialect.name != "postgresql":
            return True
        # Of the transaction, not of the session: nothing is left behind on a pooled connection.
        taken = await self._connection.scalar(
            text("SELECT pg_try_advisory_xact_lock(5427111, hashtext(:office))"), {"office": office}
        )
        return bool(taken)


class SqlDatabase:
    """The database port over one engine. ``patience``: see ``open_engine``."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 5,
        application: str = "spine",
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._engine = open_engine(
            url, pool_size=pool_size, application=application, patience=patience
        )
        self._writer = writing(self._engine)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a writing transaction."""
        async with self._begin(self._writer) as transaction:
            yield transaction

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Transaction]:
        """Open a transaction that only reads."""
        async with self._begin(self._engine) as transaction:
            yield transaction

    @asynccontextmanager
    async def _begin(self, engine: AsyncEngine) -> AsyncIterator[SqlTransaction]:
        with in_our_words():
            try:
                async with engine.begin() as connection:
                    transaction = SqlTransaction(connection)
                    # With asyncpg the transaction opens at SQLAlchemy's first own statement: a
                    # raw COPY before one would survive the rollback.
                    await transaction.now()
                    yield transaction
            except FAULTS as error:
                if lost_its_node(error):
                    await self._engine.dispose()
                raise

    @asynccontextmanager
    async def leading(self, office: str) -> AsyncIterator[bool]:
        """Hold an office while the block runs, unless another process holds it: then False."""
        async with self._begin(self._engine) as transaction:
            await transaction.sit_still()
            yield await transaction.takes(office)

    async def check(self) -> None:
        """Raise unless the database answers and its schema is current."""
        async with self._begin(self._engine) as transaction:
            await transaction._connection.run_sync(check_schema)  # noqa: SLF001 - our own class

    async def close(self) -> None:
        """Give every connection back."""
        await self._engine.dispose()
