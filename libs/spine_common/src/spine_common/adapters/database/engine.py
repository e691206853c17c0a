"""An engine for a URL, set up so that it neither hangs nor forgets."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

PATIENCE_SECONDS = 60.0
"""How long a transaction may say nothing before the server ends it."""
_WRITES = "spine_writes"
# SQLite checks references only when asked: what PostgreSQL refuses must not pass here.
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON")


def open_engine(
    url: str | URL,
    *,
    pool_size: int = 5,
    application: str = "spine",
    patience: float = PATIENCE_SECONDS,
) -> AsyncEngine:
    """Return an engine; it connects when first used.

    ``url`` names the driver too: ``sqlite+aiosqlite:///…`` or ``postgresql+asyncpg://…``.
    ``patience`` is how long a server waits, seconds, for the next word in a transaction: after
    that it ends the session, and with it the locks of whoever was stopped or cut off.
    """
    target = make_url(url)
    if target.get_backend_name() == "sqlite":
        return _sqlite(target, pool_size)
    return create_async_engine(
        target,
        pool_size=pool_size,
        max_overflow=pool_size,
        # A server restart leaves dead connections in the pool; half-open ones answer nothing.
        pool_pre_ping=True,
        pool_recycle=1800,
        pool_timeout=30,
        connect_args={
            "timeout": 10,
            "command_timeout": 60,
            "server_settings": {
                "application_name": application,
                "lock_timeout": "30s",
                "idle_in_transaction_session_timeout": f"{patience * 1000:.0f}ms",
                # A client whose network is gone does not keep its locks for two hours.
                "tcp_keepalives_idle": "20",
                "tcp_keepalives_interval": "10",
                "tcp_keepalives_count": "3",
                "timezone": "UTC",
            },
        },
    )


def writing(engine: AsyncEngine) -> AsyncEngine:
    """Return the engine for transactions that write; on SQLite they take the lock at once."""
    return engine.execution_options(**{_WRITES: True})


def _sqlite(url: URL, pool_size: int) -> AsyncEngine:
    if url.database and url.database != ":memory:":
        # Where no folder can be made no file can be opened: connecting says so, in our words.
        with contextlib.suppress(OSError):
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=pool_size)

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: DBAPIConnection, _record: Any) -> None:
        # The driver must not open transactions by itself: _begin does.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "invalidate")
    def _roll_back(connection: DBAPIConnection, _record: Any, _error: Any) -> None:
        # After a cancellation: an unfinished SELECT keeps the closed connection, and with it the
        # write lock, alive until its cursor is collected. The cancellation itself goes on anyway.
        with contextlib.suppress(Exception, asyncio.CancelledError):
            connection.rollback()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later meets "database is locked".
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
