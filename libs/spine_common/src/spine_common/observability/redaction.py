"""What must never be shown, and how it is hidden in texts, URLs and nested values."""

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"

# `partition_key`, `logical_key` and the like are words of the product: of the keys, only those
# that open something are secret.
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|authorization|cookie|^key$"
    r"|(api|access|account|auth|client|encryption|private|shared|signing)[-_ ]?key",
    re.IGNORECASE,
)
# Up to the last @, since people forget to encode one in a password. Digits up to a slash or the
# end are a port: that is no user information.
_USER_INFO = re.compile(
    r"(?P<user>\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*):(?!\d{1,5}(?:[/?#\s]|$))[^\s\"'<>]*@",
    re.IGNORECASE,
)
_QUERY_SECRET = re.compile(
    r"(?P<name>[?&;](?:[a-z_-]*(?:password|passwd|secret|token|api_?key|signature))=)[^\s&#\"']+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<scheme>\b(?:bearer|basic) )[A-Za-z0-9+/._~=-]{8,}", re.IGNORECASE)


def hide_credentials(text: str) -> str:
    """Return ``text`` with passwords in URLs, secrets in queries and bearer tokens hidden."""
    text = _USER_INFO.sub(rf"\g<user>:{HIDDEN}@", text)
    text = _QUERY_SECRET.sub(rf"\g<name>{HIDDEN}", text)
    return _BEARER.sub(rf"\g<scheme>{HIDDEN}", text)


def is_secret_name(name: str) -> bool:
    """Say whether what is kept under ``name`` is hidden whatever it is."""
    return _SECRET_NAME.search(name) is not None


def redact(value: Any) -> Any:
    """Return a copy of a value, made of what JSON knows, with its secrets hidden."""
    match value:
        case str():
            return hide_credentials(value)
        case Mapping():
            return {str(name): redacted(str(name), item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact(item) for item in value]
        case None | bool() | int() | float():
            return value
        case BaseException():
            return hide_credentials(repr(value))
        case _:
            return hide_credentials(str(value))


def redacted(name: str, value: Any) -> Any:
    """Return ``value`` as it may be shown under ``name``."""
    if is_secret_name(name) and value is not None:
        return HIDDEN
    return redact(value)
