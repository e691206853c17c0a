"""How a command says where bytes are: a path, or ``sha256:<hex>/<name>`` for bytes we hold."""

import re
from dataclasses import dataclass

from spine_common.core.errors import InvalidParams

MAX_LOCATION_LENGTH = 4096
MAX_NAME_BYTES = 255
_SCHEME = "sha256:"
_HELD = re.compile(r"sha256:(?P<digest>[0-9a-f]{64})/(?P<name>.+)", re.DOTALL)
# Two letters or more before the colon: a scheme, not a drive.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_RIGHT = "A location is a path to a file, or sha256:<hex>/<name> as an upload returns it."


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes in the object store under ``raw/<digest>``, and the name they came under."""

    digest: str
    name: str

    def __str__(self) -> str:
        return f"{_SCHEME}{self.digest}/{self.name}"

    @property
    def key(self) -> str:
        """The object-store key of the bytes."""
        return f"raw/{self.digest}"


def parse_location(location: str) -> Held | str:
    """Return what a location names: held bytes, or a path as it was given.

    Raises ``InvalidParams`` for a URL, for text no path can be, and for a ``sha256:`` location
    whose digest or name is malformed.
    """
    checked_text(location)
    if location.startswith(_SCHEME):
        match = _HELD.fullmatch(location)
        if match is None:
            raise InvalidParams(
                f"{location!r} names no bytes we hold.",
                remedy="It is sha256:, 64 lower-case hex digits, a slash and a file name.",
            )
        return Held(match["digest"], checked_name(match["name"]))
    return location


def checked_text(location: str) -> str:
    """Return ``location`` if it can be a path at all; ``InvalidParams`` otherwise."""
    if not location.strip():
        raise InvalidParams("The location is empty.", remedy=_RIGHT)
    if len(location) > MAX_LOCATION_LENGTH:
        raise InvalidParams(
            f"The location has {len(location):,} characters, over {MAX_LOCATION_LENGTH:,}.",
            remedy=_RIGHT,
        )
    if _URL.match(location):
        raise InvalidParams(
            f"{location!r} is a URL, and nothing is fetched from one.", remedy=_RIGHT
        )
    if "\0" in location or not _encodes(location):
        raise InvalidParams(f"{location!r} has characters no path can have.", remedy=_RIGHT)
    return location


def checked_name(name: str) -> str:
    """Return ``name`` if it is a bare file name that can be shown; ``InvalidParams`` otherwise."""
    if (
        name in {"", ".", ".."}
        or "/" in name
        or "\\" in name
        or not name.isprintable()
        or len(name.encode()) > MAX_NAME_BYTES
    ):
        raise InvalidParams(
            f"{name!r} can't be a source's name.",
            remedy=f"It is a bare file name: printable, no slashes, up to {MAX_NAME_BYTES} bytes.",
        )
    return name


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
