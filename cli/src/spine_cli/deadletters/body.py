"""How a message's bytes look to a person: as text where they are text, as a dump elsewhere."""

import base64
from collections.abc import Iterator
from typing import Any

from spine_cli.render import printable

_MOST_CHARACTERS = 2_000
_MOST_DUMPED = 256
_PER_LINE = 16


def text_of(body: bytes) -> str | None:
    """Return the bytes as text; None if they are none."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def body_lines(body: bytes) -> Iterator[str]:
    """Yield the lines a terminal may show, and what was left out at the end."""
    text = text_of(body)
    if text is None:
        yield from _dumped(body[:_MOST_DUMPED])
        if len(body) > _MOST_DUMPED:
            yield _cut(f"{_MOST_DUMPED:,} bytes", body)
        return
    yield from (printable(line) for line in text[:_MOST_CHARACTERS].split("\n"))
    if len(text) > _MOST_CHARACTERS:
        yield _cut(f"{_MOST_CHARACTERS:,} characters", body)


def body_document(body: bytes) -> dict[str, Any]:
    """Return the bytes for JSON, whole: as ``text`` if they are text, else as ``base64``."""
    text = text_of(body)
    encoded = base64.b64encode(body).decode() if text is None else None
    return {"bytes": len(body), "text": text, "base64": encoded}


def _cut(shown: str, body: bytes) -> str:
    return f"… cut after {shown}; --body writes all {len(body):,} bytes"


def _dumped(body: bytes) -> Iterator[str]:
    for at in range(0, len(body), _PER_LINE):
        row = body[at : at + _PER_LINE]
        letters = row.decode("latin-1")
        shown = "".join(c if c.isascii() and c.isprintable() else "." for c in letters)
        yield f"{at:04x}  {row.hex(' '):<{_PER_LINE * 3}} {shown}"
