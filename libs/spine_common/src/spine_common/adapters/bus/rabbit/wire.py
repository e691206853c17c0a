"""What stands on the wire and can't be read: taken as it is, not at the cost of the connection.

The client library reads a message's properties before any code of ours runs. One that fails it ends
the connection, with all that is under way on it, and comes again on the next one.
"""

from collections.abc import Callable
from typing import Any

from pamqp import decode

_Decoder = Callable[[bytes], tuple[int, Any]]
UNREADABLE = "unreadable"


def tolerate() -> None:
    """Let the client library read what it otherwise fails at, in this whole process."""
    decode.METHODS["shortstr"] = _short_text
    decode.METHODS["timestamp"] = decode.TABLE_MAPPING[b"T"] = _moment
    decode.METHODS["table"] = decode.TABLE_MAPPING[b"F"] = _table


def _short_text(value: bytes) -> tuple[int, str]:
    """Read a text; bytes that are no UTF-8 become escapes, to be shown and stored anywhere."""
    length = value[0]
    return length + 1, value[1 : length + 1].decode(errors="backslashreplace")


def _moment(value: bytes) -> tuple[int, Any]:
    """Read a time; one no calendar has is none."""
    return _or_else(decode.timestamp, value, 8, None)


def _table(value: bytes) -> tuple[int, Any]:
    """Read a table; one that can't be read is kept whole, as one value."""
    size = 4 + int.from_bytes(value[:4])
    return _or_else(decode.field_table, value, size, {UNREADABLE: value[4:size]})


def _or_else(read: _Decoder, value: bytes, size: int, otherwise: Any) -> tuple[int, Any]:
    try:
        return read(value)
    except (ValueError, OverflowError, OSError):
        return size, otherwise
