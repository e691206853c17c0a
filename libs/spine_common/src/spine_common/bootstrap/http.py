"""A web app inside a process that has other things to do: uvicorn without its signal handlers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import structlog
import uvicorn
from starlette.types import ASGIApp

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process, which has more to stop than a web server."""
        yield


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, *, grace: float) -> AsyncIterator[int]:
    """Serve ``app`` while the block runs; yields the port, which is a free one for port 0."""
    listening = socket.create_server((host, port), backlog=512)
    bound: int = listening.getsockname()[1]
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=max(1, int(grace)),
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve([listening]), name="http")
    log.info("listening", host=host, port=bound)
    try:
        yield bound
    finally:
        server.should_exit = True
        await task
        listening.close()
