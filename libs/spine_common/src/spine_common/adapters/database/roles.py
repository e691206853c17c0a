"""What a service's database role may do: everything its work needs, and to the ledger only add."""

from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import ProgrammingError

from spine_common.adapters.database.datatables import data_metadata
from spine_common.adapters.database.migrate import opened
from spine_common.adapters.database.tables import (
    capture_sightings,
    captures,
    dead_letters,
    execution_events,
    executions,
    manifest,
    metadata,
    outbox,
    partitions,
    quality_checks,
    rejects,
)
from spine_common.core.errors import InvalidParams

_APPEND = ("SELECT", "INSERT")
_CHANGE = (*_APPEND, "UPDATE")
_REPLACE = (*_APPEND, "DELETE")
_ALL = (*_CHANGE, "DELETE")
_RIGHTS: dict[Table, tuple[str, ...]] = {
    execution_events: _APPEND,
    captures: _APPEND,
    capture_sightings: _APPEND,
    executions: _CHANGE,
    partitions: _CHANGE,
    dead_letters: _CHANGE,
    manifest: _REPLACE,
    rejects: _ALL,
    quality_checks: _ALL,
    outbox: _ALL,
}
# A role's name compared as text: as a name, one that is too long is an error of the driver's.
_ABOUT_ROLE = text(
    "SELECT pg_has_role(role.oid, held.relowner, 'USAGE') AS owns FROM pg_roles role"
    " LEFT JOIN pg_class held ON held.oid = to_regclass('executions')"
    " WHERE CAST(role.rolname AS text) = :role"
)


async def grant(url: str, role: str) -> None:
    """Grant an existing role what services need; ``InvalidParams`` if there is no such role.

    Granted anew from nothing, so that a right of an earlier release does not stay; an owner of
    the tables would lose its own that way, and is refused.
    """
    async with opened(url) as connection:
        await connection.run_sync(_grant, role)


def _grant(connection: Connection, role: str) -> None:
    if connection.dialect.name != "postgresql":
        raise InvalidParams(
            "SQLite has no roles: who can read the file can do everything.",
            remedy="Roles are for PostgreSQL.",
        )
    known = connection.execute(_ABOUT_ROLE, {"role": role}).first()
    if known is None:
        raise InvalidParams(
            f"The database has no role {role!r}.", remedy="Create it first.", field="role"
        )
    if known.owns:
        raise InvalidParams(
            f"The role {role!r} owns the tables, or acts as who does: nothing can be kept from it.",
            remedy="Let services connect with a role of their own.",
            field="role",
        )
    quote = connection.dialect.identifier_preparer.quote
    name = quote(role)
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA public TO {name}")
    for table in (*metadata.sorted_tables, *data_metadata.sorted_tables):
        rights = ", ".join(_RIGHTS.get(table, _REPLACE))
        try:
            with connection.begin_nested():
                connection.exec_driver_sql(f"REVOKE ALL ON {quote(table.name)} FROM {name}")
                connection.exec_driver_sql(f"GRANT {rights} ON {quote(table.name)} TO {name}")
        except ProgrammingError:
            # Data tables of a domain that is installed here and not migrated yet.
            if table in _RIGHTS:
                raise
    connection.exec_driver_sql(f"GRANT SELECT ON alembic_version TO {name}")
    connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}")
