"""Column types and SQL functions that mean the same on both databases."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Numeric, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

from spine_common.core.dataset import QUANTITY_SCALE

MICRO = 10**QUANTITY_SCALE
JSON_TYPE = JSON()
# SQLite gives only INTEGER PRIMARY KEY a row id of its own.
BIG_ID = BigInteger().with_variant(Integer(), "sqlite")


class UtcTimestamp(TypeDecorator[datetime]):
    """A moment in UTC to the millisecond; ISO text on SQLite, which compares as time does."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Pick the stored type."""
        stored = Text() if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(stored)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Turn a moment into what is stored."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Turn what is stored into a moment."""
        if value is None or dialect.name != "sqlite":
            return value if value is None else value.astimezone(UTC)
        return datetime.fromisoformat(value).replace(tzinfo=UTC)


class Quantity(TypeDecorator[Decimal]):
    """An exact decimal with six places; whole millionths on SQLite, which has no decimals."""

    impl = Numeric(38, QUANTITY_SCALE)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Pick the stored type."""
        stored = BigInteger() if dialect.name == "sqlite" else Numeric(38, QUANTITY_SCALE)
        return dialect.type_descriptor(stored)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Turn a quantity into what is stored."""
        if value is None or dialect.name != "sqlite":
            return value
        return int(value * MICRO)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Turn what is stored into a quantity with six places."""
        if value is None:
            return None
        stored = Decimal(value)
        return stored.scaleb(-QUANTITY_SCALE) if dialect.name == "sqlite" else stored


class db_now(FunctionElement[datetime]):  # noqa: N801 - it reads as the SQL function it is
    """The database's clock, in UTC; ``db_now(seconds)`` is that much later."""

    type = UtcTimestamp()
    inherit_cache = True


class seconds_until(FunctionElement[float]):  # noqa: N801 - it reads as the SQL function it is
    """How many seconds from the database's now until a timestamp column; negative when past."""

    inherit_cache = True


@compiles(db_now, "postgresql")
def _now_postgresql(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    # Cut to milliseconds: what SQLite keeps, and what the event fold is compared by.
    now = "date_trunc('milliseconds', clock_timestamp())"
    if not element.clauses.clauses:
        return now
    return f"({now} + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(db_now, "sqlite")
def _now_sqlite(element: db_now, compiler: SQLCompiler, **kw: Any) -> str:
    if not element.clauses.clauses:
        return "strftime('%Y-%m-%dT%H:%M:%f', 'now')"
    later = compiler.process(element.clauses, **kw)
    return f"strftime('%Y-%m-%dT%H:%M:%f', 'now', ({later}) || ' seconds')"


@compiles(seconds_until, "postgresql")
def _until_postgresql(element: seconds_until, compiler: SQLCompiler, **kw: Any) -> str:
    return f"EXTRACT(EPOCH FROM {compiler.process(element.clauses, **kw)} - clock_timestamp())"


@compiles(seconds_until, "sqlite")
def _until_sqlite(element: seconds_until, compiler: SQLCompiler, **kw: Any) -> str:
    return f"((julianday({compiler.process(element.clauses, **kw)}) - julianday('now')) * 86400.0)"
