"""How a connection to the broker is opened, named, and looked into."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika import connect_robust
from aio_pika.abc import AbstractRobustConnection
from aio_pika.connection import make_url
from aiormq.abc import AbstractChannel

from spine_common.adapters.bus.rabbit.failures import REMEDY, broker_failures
from spine_common.core.errors import BusUnavailable

CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 1.0


def named(url: str, role: str) -> str:
    """Return the URL with the connection's name for the broker's list of connections."""
    return str(make_url(url, name=f"spine {role}"))


async def connect(url: str, role: str) -> AbstractRobustConnection:
    """Open a connection that comes back by itself; ``BusUnavailable`` if it can't be opened."""
    with broker_failures("connecting"):
        return await connect_robust(
            named(url, role), timeout=CONNECT_SECONDS, reconnect_interval=RECONNECT_SECONDS
        )


@asynccontextmanager
async def scratch_channel(connection: AbstractRobustConnection) -> AsyncIterator[AbstractChannel]:
    """Give a channel the broker may close (as it does for a name it does not know)."""
    transport = connection.transport
    if transport is None:
        raise BusUnavailable("The broker does not answer.", remedy=REMEDY)
    channel = await transport.connection.channel(publisher_confirms=False)
    try:
        yield channel
    finally:
        await channel.close()
