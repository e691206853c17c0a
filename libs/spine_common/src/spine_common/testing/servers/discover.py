"""Where a test run's PostgreSQL or RabbitMQ comes from.

In this order: a URL in the environment, a container, binaries on this machine, binaries that can
be installed on it. Whoever wants to break a server leaves the first one out.
"""

import os
from collections.abc import Callable, Iterable
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

from spine_common.testing.servers import apt
from spine_common.testing.servers.control import Given
from spine_common.testing.servers.docker import start_container_postgres, start_container_rabbit
from spine_common.testing.servers.errors import NotHere, ServerUnavailable
from spine_common.testing.servers.household import Household
from spine_common.testing.servers.postgres import PostgresServer
from spine_common.testing.servers.postgres_local import start_local_postgres
from spine_common.testing.servers.rabbitmq import RabbitServer
from spine_common.testing.servers.rabbitmq_local import start_local_rabbit

Server = TypeVar("Server")

DATABASE_VARIABLE = "SPINE_TEST_DATABASE_URL"
RABBIT_VARIABLE = "SPINE_TEST_RABBITMQ_URL"
MANAGEMENT_VARIABLE = "SPINE_TEST_RABBITMQ_MANAGEMENT_URL"

_GIVEN_PATIENCE_S = 30.0
"""A server of a CI job may still be starting when the first test asks."""

_REMEDY = (
    "Set {variable} to the URL of {what}, or start Docker, or install {package} "
    "(the binaries are enough; no service has to run)."
)


def find_postgres(household: Household, *, durable: bool = True) -> PostgresServer:
    """Return the PostgreSQL the environment names, else a private one.

    Raises ``ServerUnavailable`` with every reason and with how to get one.
    """
    return _given_postgres() or private_postgres(household, durable=durable)


def private_postgres(household: Household, *, durable: bool = True) -> PostgresServer:
    """Start a PostgreSQL that a test may stop, kill and start again; errors as above."""
    return _first(
        "PostgreSQL",
        [
            lambda: start_container_postgres(household, durable=durable),
            lambda: start_local_postgres(household, durable=durable),
            lambda: _installed(
                "postgresql", lambda: start_local_postgres(household, durable=durable)
            ),
        ],
        _REMEDY.format(
            variable=DATABASE_VARIABLE,
            what="a role that may create databases",
            package="postgresql",
        ),
    )


def find_rabbit(household: Household) -> RabbitServer:
    """Return the RabbitMQ the environment names, else a private one; errors as above."""
    return _given_rabbit() or private_rabbit(household)


def private_rabbit(household: Household) -> RabbitServer:
    """Start a RabbitMQ that a test may stop, kill and start again; errors as above."""
    return _first(
        "RabbitMQ",
        [
            lambda: start_container_rabbit(household),
            lambda: start_local_rabbit(household),
            lambda: _installed("rabbitmq-server", lambda: start_local_rabbit(household)),
        ],
        _REMEDY.format(
            variable=RABBIT_VARIABLE,
            what=f"an administrator (and {MANAGEMENT_VARIABLE} if not on port 15672)",
            package="rabbitmq-server",
        ),
    )


def _given_postgres() -> PostgresServer | None:
    url = os.environ.get(DATABASE_VARIABLE)
    if not url:
        return None
    server = PostgresServer.at(url, Given(DATABASE_VARIABLE))
    server.wait_until_ready(patience=_GIVEN_PATIENCE_S)
    return server


def _given_rabbit() -> RabbitServer | None:
    url = os.environ.get(RABBIT_VARIABLE)
    if not url:
        return None
    management = os.environ.get(MANAGEMENT_VARIABLE) or _usual_management(url)
    server = RabbitServer(url, management, Given(RABBIT_VARIABLE))
    server.wait_until_ready(patience=_GIVEN_PATIENCE_S)
    return server


def _usual_management(url: str) -> str:
    parts = urlsplit(url)
    scheme, port = ("https", 15671) if parts.scheme == "amqps" else ("http", 15672)
    who, _, _ = parts.netloc.rpartition("@")
    return urlunsplit((scheme, f"{who or 'guest:guest'}@{parts.hostname}:{port}", "", "", ""))


def _installed(package: str, start: Callable[[], Server]) -> Server:
    apt.install(package)
    return start()


def _first(name: str, ways: Iterable[Callable[[], Server]], remedy: str) -> Server:
    reasons: list[str] = []
    for way in ways:
        try:
            return way()
        except (NotHere, ServerUnavailable) as reason:
            reasons.append(str(reason))
    raise ServerUnavailable(f"No {name} can be had here: {'; '.join(reasons)}. {remedy}")
