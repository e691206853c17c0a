"""What a dead letter is as a row: its columns, its fingerprint, and what a second copy changes."""

import base64
import hashlib
import math
from typing import Any

from sqlalchemy import ColumnElement, case, null
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from spine_common.adapters.database.tables import dead_letters
from spine_common.adapters.database.types import db_now
from spine_common.core.letters import LetterState
from spine_common.core.texts import storable
from spine_common.framework.ports.deadletters import DeadLetter

_WAITING = LetterState.WAITING.value
_RENEWED = (
    *("message_id", "queue", "body", "headers", "fingerprint"),
    *("kind", "code", "reason", "state", "shape", "pipeline", "partition_key"),
)
_SETTLED = ("settled_at", "settled_because")


def row_of(letter: DeadLetter) -> dict[str, Any]:
    """Return the columns that tell what a letter says and whose it is."""
    return {
        "message_id": storable(letter.message_id or "") or None,
        "queue": letter.queue,
        "body": letter.body,
        "headers": _json_safe(letter.headers),
        "execution_id": letter.execution_id,
        "attempt": letter.attempt,
        "kind": letter.kind.value,
        "code": letter.code,
        "reason": storable(letter.reason),
        "state": letter.state.value,
        "shape": storable(letter.shape),
        "pipeline": letter.pipeline,
        "partition_key": letter.partition_key,
    }


def once_more(new: ReadOnlyColumnCollection[str, ColumnElement[Any]]) -> dict[str, Any]:
    """Return what changes of the letter of an attempt when another of that attempt comes.

    If the new one waits and nobody has decided about the stored one, that waits from now on and
    says what the new one says: its execution was not tried again after all, or its message came
    back. A person's discard, and a retry that is an execution of its own, stand.
    """
    stored = dead_letters.c
    undecided = stored.state.in_([LetterState.RESCHEDULED.value, LetterState.MOOT.value])
    came_back = (stored.state == LetterState.RETRIED.value) & stored.retry_execution_id.is_(None)
    waits = (new["state"] == _WAITING) & (undecided | came_back)
    said = {name: case((waits, new[name]), else_=stored[name]) for name in _RENEWED}
    open_again = {name: case((waits, null()), else_=stored[name]) for name in _SETTLED}
    return {**said, **open_again, "seen": stored.seen + 1, "last_seen_at": db_now()}


def fingerprint_of(letter: DeadLetter) -> str:
    """Name what a letter says and where it lay: equal bytes from one queue under one id."""
    said = hashlib.sha256(letter.body)
    said.update(f"\0{letter.message_id or ''}\0{_grave(letter)}".encode(errors="replace"))
    return said.hexdigest()


def _grave(letter: DeadLetter) -> str:
    return str(letter.headers.get("x-first-death-queue", letter.queue))


def _json_safe(value: Any) -> Any:
    """Keep every header in JSON, whatever AMQP type it had."""
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case bytes() | bytearray():
            return {"base64": base64.b64encode(value).decode()}
        case dict():
            return {storable(str(key)): _json_safe(item) for key, item in value.items()}
        case list() | tuple():
            return [_json_safe(item) for item in value]
        case _:
            return storable(str(value))
