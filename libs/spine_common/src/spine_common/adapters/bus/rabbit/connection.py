"""How a connection to the broker is opened, named, and looked into."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractRobustConnection
from aio_pika.connection import make_url
from aiormq.abc import AbstractChannel

from spine_common.adapters.bus.rabbit.alarm import PublishingConnection
from spine_common.adapters.bus.rabbit.failures import REMEDY, broker_failures
from spine_common.core.errors import BusUnavailable

CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 1.0
PROBE_SECONDS = 3.0
HEARTBEAT_SECONDS = 20
"""A connection that is silently dead is noticed after three of them; the client's own 60 s would
leave a process deaf for three minutes."""


def named(url: str, role: str) -> str:
    """Return the URL with the connection's name for the broker's list of connections."""
    chosen = make_url(url, name=f"spine {role}")
    if "heartbeat" not in chosen.query:
        chosen = chosen.update_query(heartbeat=HEARTBEAT_SECONDS)
    return str(chosen)


async def connect(url: str, role: str) -> PublishingConnection:
    """Open a connection that comes back by itself; ``BusUnavailable`` if it can't be opened."""
    with broker_failures("connecting"):
        return await aio_pika.connect_robust(
            named(url, role),
            timeout=CONNECT_SECONDS,
            reconnect_interval=RECONNECT_SECONDS,
            connection_class=PublishingConnection,
        )


async def answers(url: str) -> bool:
    """Say whether the broker takes a new connection, whatever has become of the old ones."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            probe = await aio_pika.connect(named(url, "probe"))
    except Exception:  # noqa: BLE001 - whatever is in the way is an answer
        return False
    await close_soon(probe)
    return True


async def close_soon(
    closable: aio_pika.abc.AbstractConnection | aio_pika.abc.AbstractChannel,
) -> None:
    """Close what may be broken, within a time limit."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(PROBE_SECONDS):
            await closable.close()


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
