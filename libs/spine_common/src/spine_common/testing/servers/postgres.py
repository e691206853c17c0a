"""What a test can do with a PostgreSQL server: get fresh databases, and break it."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from spine_common.testing.servers.control import Control, control_from
from spine_common.testing.servers.errors import ServerUnavailable

Answer = TypeVar("Answer")

_SCHEME = "postgresql+asyncpg"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server and a superuser on it.

    ``url`` is ``postgresql+asyncpg://…`` of a database to connect to for creating others.
    """

    url: str
    control: Control

    @classmethod
    def at(cls, url: str, control: Control) -> "PostgresServer":
        """Describe the server behind ``url``, in whichever of the usual schemes it is written."""
        return cls(urlunsplit(urlsplit(url)._replace(scheme=_SCHEME)), control)

    def new_database(self, template: str | None = None, *, name: str | None = None) -> str:
        """Create a database, empty or as a copy of the one at URL ``template``; return its URL.

        Nobody may be connected to the template.
        """
        name = name or f"spine_test_{secrets.token_hex(6)}"
        source = "template0" if template is None else _database(template)
        # Copying files costs two checkpoints, writing every page to the log costs the pages:
        # from template0 the latter is cheaper, from a full schema they are equal.
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop_database(self, url: str) -> None:
        """Drop the database at ``url``, whoever is connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{_database(url)}" WITH (FORCE)')

    def ask(self, url: str, question: str) -> Any:
        """Return the one value a query of the database at ``url`` gives, asked as superuser."""
        target = urlunsplit(urlsplit(self.url)._replace(path=f"/{_database(url)}"))
        return _apart(lambda: _fetch(plain(target), question))

    def new_role(self, name: str, password: str) -> None:
        """Create a role that may log in and create databases."""
        self._execute(f"CREATE ROLE \"{name}\" LOGIN CREATEDB PASSWORD '{password}'")

    def give_database(self, url: str, role: str) -> None:
        """Make ``role`` the owner of the database at ``url``."""
        self._execute(f'ALTER DATABASE "{_database(url)}" OWNER TO "{role}"')

    def start(self) -> None:
        """Start it on the same port and data, and wait until it answers."""
        self.control.start()
        self.wait_until_ready()

    def stop(self) -> None:
        """Stop it in order: connections are cut, everything is written."""
        self.control.stop()

    def kill(self) -> None:
        """Kill every process of it at once."""
        self.control.kill()

    def wait_until_ready(self, patience: float = 60) -> None:
        """Wait until it answers a query, or raise ``ServerUnavailable`` with its log."""
        deadline = time.monotonic() + patience
        while (refusal := self._refusal()) is not None:
            hopeless = not _passing(refusal) or not self.control.running()
            if hopeless or time.monotonic() > deadline:
                raise ServerUnavailable(
                    f"PostgreSQL does not answer: {refusal}\n{self.control.log()}"
                )
            time.sleep(0.05)

    def record(self) -> dict[str, Any]:
        """Return what ``from_record`` needs in another process."""
        return {"url": self.url, **self.control.record()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "PostgresServer":
        """Find the server again."""
        return cls(record["url"], control_from(record))

    def _refusal(self) -> Exception | None:
        import asyncpg  # noqa: PLC0415 - the plugin that loads this module stays light

        try:
            self._execute("SELECT 1")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return error
        return None

    def _execute(self, statement: str) -> None:
        _apart(lambda: _execute(plain(self.url), statement))


def _passing(refusal: Exception) -> bool:
    """Say whether a server that is starting may refuse like this."""
    import asyncpg  # noqa: PLC0415 - as above

    starting = (asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError)
    return isinstance(refusal, (OSError, TimeoutError, *starting))


def plain(url: str) -> str:
    """Return a database URL without the driver's name, as clients other than SQLAlchemy read it."""
    return urlunsplit(urlsplit(url)._replace(scheme="postgresql"))


def _database(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


async def _execute(url: str, statement: str) -> None:
    import asyncpg  # noqa: PLC0415 - as above

    connection: asyncpg.Connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch(url: str, question: str) -> Any:
    import asyncpg  # noqa: PLC0415 - as above

    connection: asyncpg.Connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def _apart(make: Callable[[], Awaitable[Answer]]) -> Answer:
    """Await in a thread with a loop of its own: the caller may be inside a running loop."""

    async def awaited() -> Answer:
        return await make()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, awaited()).result()
