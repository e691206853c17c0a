"""How a database or broker URL may be spelled, and the one spelling we go on with."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

POSTGRESQL = "postgresql+asyncpg"
SQLITE = "sqlite+aiosqlite"
LOCAL_BROKER = "amqp://guest:guest@localhost:5672/"

_SSL_MODE = re.compile(r"([?&])sslmode=")
_POSTGRESQL_SPELLINGS = {"postgresql", "postgres", POSTGRESQL}
_SQLITE_SPELLINGS = {"sqlite", SQLITE}


def sqlite_url(path: Path) -> str:
    """Return the URL of a SQLite file; a relative path starts at the current folder."""
    return f"{SQLITE}:///{path.expanduser().absolute()}"


def database_url(spelled: str) -> str:
    """Return the URL with the driver we use; ``ValueError`` for any other database."""
    scheme, separator, rest = spelled.strip().partition("://")
    if separator and scheme in _POSTGRESQL_SPELLINGS:
        _check_port(spelled)
        # As libpq and most tools spell it; the driver has another word for it.
        return f"{POSTGRESQL}://" + _SSL_MODE.sub(r"\1ssl=", rest)
    if separator and scheme in _SQLITE_SPELLINGS:
        path = rest.removeprefix("/")
        # A database in memory would be another one for every connection.
        if rest.startswith("/") and path and ":memory:" not in path:
            return sqlite_url(Path(path))
    raise ValueError("no database URL of a kind we know")


def broker_url(spelled: str) -> str:
    """Return an AMQP URL as it is; ``ValueError`` for anything else."""
    url = spelled.strip()
    if not url.startswith(("amqp://", "amqps://")) or not urlsplit(url).hostname:
        raise ValueError("no AMQP URL")
    _check_port(url)
    return url


def http_url(spelled: str) -> str:
    """Return an HTTP URL without its closing slash; ``ValueError`` for anything else."""
    url = spelled.strip().rstrip("/")
    if not url.startswith(("http://", "https://")) or not urlsplit(url).hostname:
        raise ValueError("no HTTP URL")
    _check_port(url)
    return url


def _check_port(url: str) -> None:
    # Raises ValueError for a port that is no number below 65536.
    _ = urlsplit(url).port


DatabaseUrl = Annotated[str, AfterValidator(database_url)]
BrokerUrl = Annotated[str, AfterValidator(broker_url)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
