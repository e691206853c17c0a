"""A network between the services and a server that can be slow, silent, cut, or lose an answer."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

_RESET = struct.pack("ii", 1, 0)  # linger for no time: closing sends RST


@dataclass(eq=False)
class _Pair:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    swallowing: bool = False


@dataclass
class Proxy:
    """Listens on a free port of this machine and carries bytes to ``host:port``."""

    host: str
    port: int
    delay: float = 0.0
    """Seconds every piece of data is late, both ways."""
    connections: int = 0
    swallowed: int = 0
    """Answers that were lost on demand."""
    _pairs: set[_Pair] = field(default_factory=set)
    _flowing: asyncio.Event = field(default_factory=asyncio.Event)
    _refusing: bool = False
    _swallow_after: bytes | None = None
    _swallow_left: int = 0
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._flowing.set()
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None  # noqa: S101 - entered
        self._server.close()
        self.heal()
        self.reset()
        await self._server.wait_closed()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._server is not None  # noqa: S101 - entered
        name: tuple[str, int] = self._server.sockets[0].getsockname()
        return name

    def reset(self) -> None:
        """Break every connection at once, as a firewall that forgets does."""
        for pair in list(self._pairs):
            self._break(pair)

    def silence(self) -> None:
        """Carry nothing until ``heal``: connections stay, half-open, and new ones too."""
        self._flowing.clear()

    def refuse(self) -> None:
        """Break every connection and take no new one until ``heal``."""
        self._refusing = True
        self.reset()

    def heal(self) -> None:
        """Let everything through again."""
        self._refusing = False
        self.delay = 0.0
        self._swallow_after = None
        self._flowing.set()

    def swallow_reply_to(self, said: bytes, times: int = 1) -> None:
        """Lose the server's answer to the next messages that contain ``said``, and the connection.

        The server has done what it was asked to; nobody hears of it.
        """
        self._swallow_after, self._swallow_left = said, times

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self._refusing:
            writer.transport.abort()
            return
        try:
            back_reader, back = await asyncio.open_connection(self.host, self.port)
        except OSError:
            writer.transport.abort()
            return
        pair = _Pair(writer, back)
        self._pairs.add(pair)
        try:
            await asyncio.gather(
                self._carry(pair, reader, back), self._carry(pair, back_reader, writer)
            )
        finally:
            self._break(pair)

    async def _carry(
        self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if self.delay:
                    await asyncio.sleep(self.delay)
                await self._flowing.wait()
                if writer is pair.client and pair.swallowing:
                    self.swallowed += 1
                    break
                if writer is pair.server and self._is_to_lose_its_answer(data):
                    pair.swallowing = True
                writer.write(data)
                await writer.drain()
        self._break(pair)

    def _is_to_lose_its_answer(self, data: bytes) -> bool:
        if self._swallow_after is None or self._swallow_after not in data or not self._swallow_left:
            return False
        self._swallow_left -= 1
        return True

    def _break(self, pair: _Pair) -> None:
        self._pairs.discard(pair)
        for writer in (pair.client, pair.server):
            connected: socket.socket | None = writer.get_extra_info("socket")
            if connected is not None:
                with contextlib.suppress(OSError):
                    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
