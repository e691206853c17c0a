"""What a stored row says, or which value of it can't be read."""

import json
import reprlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, Dialect, Integer, Text, cast, type_coerce
from sqlalchemy.types import NullType

from spine_common.adapters.database.types import UtcTimestamp

_Decode = Callable[[Any, Dialect], Any]
_UTC = UtcTimestamp()
_DAMAGE = (ValueError, TypeError, OverflowError, RecursionError)


class RowReader:
    """Reads rows value by value: one that is damaged does not end the query that found it."""

    def __init__(self, columns: Iterable[Column[Any]]) -> None:
        chosen = list(columns)
        self._names = [column.name for column in chosen]
        decoders = ((column.name, _decoder(column)) for column in chosen)
        self._decoders = [(name, decode) for name, decode in decoders if decode is not None]
        # SQLAlchemy would decode whole rows, and of a bad value tell neither row nor column.
        self.undecoded = [_undecoded(column) for column in chosen]

    def __len__(self) -> int:
        return len(self._names)

    def read(self, values: Sequence[Any], dialect: Dialect) -> dict[str, Any]:
        """Return the values of ``undecoded`` by name; ``ValueError`` names one that is none."""
        said = dict(zip(self._names, values, strict=True))
        for name, decode in self._decoders:
            try:
                said[name] = decode(said[name], dialect)
            except _DAMAGE as error:
                raise ValueError(f"{name} can't be {reprlib.repr(said[name])}") from error
        return said


def _undecoded(column: Column[Any]) -> ColumnElement[Any]:
    # One driver hands JSON on as text, another has it decoded by then.
    return cast(column, Text) if isinstance(column.type, JSON) else type_coerce(column, NullType())


def _decoder(column: Column[Any]) -> _Decode | None:
    if isinstance(column.type, UtcTimestamp):
        return _UTC.process_result_value
    if isinstance(column.type, JSON):
        return _document
    return _number if isinstance(column.type, Integer) else None


def _document(value: Any, _dialect: Dialect) -> Any:
    return json.loads(value)


def _number(value: Any, _dialect: Dialect) -> int:
    # SQLite keeps whatever it was given.
    if isinstance(value, int):
        return value
    raise TypeError
