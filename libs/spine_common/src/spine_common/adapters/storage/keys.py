"""Which keys an object may have: made by us, readable in a listing, harmless as a path."""

import re

from spine_common.core.errors import InvalidParams

MAX_KEY_LENGTH = 512
MAX_SEGMENT_LENGTH = 200
"""Leaves room in a file name (255 bytes everywhere) for what a store adds while it writes."""

_FIRST = "[A-Za-z0-9_]"
_REST = "[A-Za-z0-9_.=-]"
# A segment never begins with a dot: that keeps `.` and `..` out, and leaves dotted names to a
# store's unfinished files.
_SEGMENT = rf"{_FIRST}{_REST}{{0,{MAX_SEGMENT_LENGTH - 1}}}"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*", re.ASCII)
_PREFIX = re.compile(rf"(?:{_SEGMENT}/)*(?:{_SEGMENT})?", re.ASCII)
_RIGHT = (
    "A key is made of segments like raw/<sha256>: letters, digits and _ . = - in each, none"
    f" beginning with . or -, at most {MAX_SEGMENT_LENGTH} characters a segment and"
    f" {MAX_KEY_LENGTH} in all."
)


def checked_key(key: str) -> str:
    """Return ``key`` if an object may be called so; ``InvalidParams`` otherwise."""
    if len(key) > MAX_KEY_LENGTH or _KEY.fullmatch(key) is None:
        raise InvalidParams(f"{_shown(key)} can't be an object's key.", remedy=_RIGHT)
    return key


def checked_prefix(prefix: str) -> str:
    """Return ``prefix`` if keys can begin with it (the empty one included)."""
    if len(prefix) > MAX_KEY_LENGTH or _PREFIX.fullmatch(prefix) is None:
        raise InvalidParams(f"{_shown(prefix)} can't begin an object's key.", remedy=_RIGHT)
    return prefix


def is_segment(name: str) -> bool:
    """Say whether a file name can be part of a key, so that a listing shows keys only."""
    return "/" not in name and _KEY.fullmatch(name) is not None


def _shown(text: str) -> str:
    return repr(text if len(text) <= MAX_SEGMENT_LENGTH else f"{text[:MAX_SEGMENT_LENGTH]}…")
