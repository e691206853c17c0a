"""Migrations: one set for both databases, run from code so that no ini file is needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.datatables import data_metadata
from spine_common.adapters.database.engine import open_engine, writing
from spine_common.adapters.database.faults import SchemaMissing, in_our_words
from spine_common.adapters.database.tables import metadata

_SCRIPTS = Path(__file__).parent / "migrations"


@cache
def head_revision() -> str:
    """Return the revision this release needs."""
    return ScriptDirectory(str(_SCRIPTS)).get_current_head() or ""


@cache
def earlier_revisions() -> frozenset[str | None]:
    """Return the revisions this release has left behind, an empty database's None among them."""
    walked = ScriptDirectory(str(_SCRIPTS)).walk_revisions()
    return frozenset({script.revision for script in walked} - {head_revision()} | {None})


def current_revision(connection: Connection) -> str | None:
    """Return the revision the database has; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def check_schema(connection: Connection) -> None:
    """Raise ``SchemaMissing`` for a database that is behind this release.

    One that is ahead will do: during a rolling upgrade the last of the old release still work.
    """
    current = current_revision(connection)
    if current in earlier_revisions():
        raise SchemaMissing(
            f"The database is at revision {current or 'none'}; this release needs"
            f" {head_revision()}.",
            remedy="Run `spine db migrate`.",
        )


@asynccontextmanager
async def opened(url: str, *, to_write: bool = True) -> AsyncIterator[AsyncConnection]:
    """Open a transaction of its own; only one that writes waits for SQLite's lock."""
    engine = open_engine(url, pool_size=1, application="spine-migrate")
    try:
        with in_our_words():
            async with (writing(engine) if to_write else engine).begin() as connection:
                yield connection
    finally:
        await engine.dispose()


async def upgrade(url: str) -> str:
    """Bring the database to this release's revision and return it.

    One that is ahead of this release is left as it is.
    """
    async with opened(url) as connection:
        await connection.run_sync(_upgrade)
    return head_revision()


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        # Two migrations at once: the second waits and finds nothing to do.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(5427110)")
    if current_revision(connection) not in {head_revision(), *earlier_revisions()}:
        return
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    # Tables of domains that came as installed packages; the built-in ones are migrated above.
    data_metadata.create_all(connection, checkfirst=True)


async def status(url: str) -> tuple[str | None, str]:
    """Return the database's revision and the one this release needs."""
    async with opened(url, to_write=False) as connection:
        return await connection.run_sync(current_revision), head_revision()


async def reset(url: str) -> None:
    """Drop every table of ours, data included."""
    async with opened(url) as connection:
        await connection.run_sync(_drop)


def _drop(connection: Connection) -> None:
    data_metadata.drop_all(connection)
    metadata.drop_all(connection)
    if inspect(connection).has_table("alembic_version"):
        connection.exec_driver_sql("DROP TABLE alembic_version")
