"""Where PostgreSQL and RabbitMQ for tests, chaos runs and developers come from."""

from spine_common.testing.servers.discover import (
    find_postgres,
    find_rabbit,
    private_postgres,
    private_rabbit,
)
from spine_common.testing.servers.errors import NotOurs, ServerUnavailable
from spine_common.testing.servers.household import Household
from spine_common.testing.servers.postgres import PostgresServer
from spine_common.testing.servers.rabbitmq import RabbitServer

__all__ = [
    "Household",
    "NotOurs",
    "PostgresServer",
    "RabbitServer",
    "ServerUnavailable",
    "find_postgres",
    "find_rabbit",
    "private_postgres",
    "private_rabbit",
]
