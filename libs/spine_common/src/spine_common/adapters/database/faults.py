"""Which of a driver's complaints mean that the database is away, and which are ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from spine_common.core.errors import DatabaseUnavailable, SpineError

# SQLSTATE classes: connection, login, no such database, transaction rollback, resources,
# intervention, system error.
_AWAY_CLASSES = ("08", "28", "3D", "40", "53", "57", "58")
_AWAY_STATES = ("25006", "55P03", "25P03")  # read-only after a failover; lock or idle timeout
_UNDEFINED_TABLE = "42P01"
_SQLITE_AWAY = re.compile(
    r"database is locked|unable to open|disk I/O|disk is full|readonly database|not a database",
    re.IGNORECASE,
)
_FORBIDDEN = "42501"
# What the driver says of a connection that ended under us, where SQLAlchemy sees no disconnect.
_UNUSABLE = re.compile(r"cannot perform operation|connection (is|was) closed|has been released")
FAULTS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class NotPermitted(SpineError):
    """The database role may not do this."""

    code = "NOT_PERMITTED"


class SchemaMissing(SpineError):
    """The database has not been migrated."""

    code = "SCHEMA_MISSING"


def translate(error: BaseException) -> BaseException:
    """Return what ``error`` means in our words, or itself when it is a bug of ours."""
    state = getattr(getattr(error, "orig", error), "sqlstate", None)
    # Without the statement and its parameters.
    said = str(getattr(error, "orig", error)) or type(error).__name__
    if state == _UNDEFINED_TABLE or said.startswith("no such table"):
        return SchemaMissing("The database has no schema yet.", remedy="Run `spine db migrate`.")
    if state == _FORBIDDEN:
        return NotPermitted(
            f"The database refuses: {said.partition(': ')[2] or said}.",
            remedy="Services may only append to the ledger; connect as the tables' owner.",
        )
    return _away(said) if _is_away(error, state, said) else error


def _is_away(error: BaseException, state: str | None, said: str) -> bool:
    if isinstance(error, PoolTimeout | OSError | TimeoutError | asyncpg.InterfaceError):
        return True
    if state and (state[:2] in _AWAY_CLASSES or state in _AWAY_STATES):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error, InterfaceError) and _UNUSABLE.search(said):
        return True
    return error.connection_invalidated or _SQLITE_AWAY.search(said) is not None


@contextmanager
def in_our_words() -> Iterator[None]:
    """Raise what a driver complains about inside the block as what it means."""
    try:
        yield
    except FAULTS as error:
        meaning = translate(error)
        if meaning is error:
            raise
        raise meaning from error


def lost_its_node(error: BaseException) -> bool:
    """Whether the pool's connections lead to a node that takes no writes any more."""
    return getattr(getattr(error, "orig", error), "sqlstate", None) == "25006"


def _away(said: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(f"The database does not answer as it should: {said}")
