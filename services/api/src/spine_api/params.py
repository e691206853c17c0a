"""What an order may carry: text that can be stored, and never an address."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from spine_common.core.errors import InvalidParams

# Two letters or more before the colon: a scheme, not a drive.
_ADDRESS = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]+:/")
_KEY = re.compile(r"[!-~]{1,200}")
_STEPS = "step:"


def checked_params(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``params`` if they can be kept; ``InvalidParams`` for text no database takes."""
    for name, value in params.items():
        for text in (name, *_texts(value)):
            _check(name, text)
    return params


def checked_key(name: str, key: str | None) -> str | None:
    """Return an order's key, or None for none.

    Raises ``InvalidParams`` for one that can't be kept, and for one that looks like a workflow's
    own, which would take the place of its step.
    """
    if key is not None and (not _KEY.fullmatch(key) or key.startswith(_STEPS)):
        raise InvalidParams(
            f"{name} can't be {key[:80]!r}.",
            remedy="It has 1 to 200 printable ASCII characters, no space,"
            f" and does not begin with {_STEPS!r}.",
            field=name,
            value=key,
        )
    return key


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from value
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _check(name: str, text: str) -> None:
    if "\0" in text or not _encodes(text):
        raise InvalidParams(
            f"{name!a} has characters that can't be kept.",
            remedy="It is Unicode text without NUL.",
            field=name,
            value=text,
        )
    if _ADDRESS.match(text):
        raise InvalidParams(
            f"{name} can't be {text[:80]!r}: no address is fetched.",
            remedy="Pass a path under a folder files may be read from, or an upload's id.",
            field=name,
            value=text,
        )


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
