"""A bus of either kind, and what tests do with one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from spine_common.adapters.bus.inprocess import InProcessBus
from spine_common.adapters.bus.rabbit import RabbitBus
from spine_common.contracts.message import Message
from spine_common.contracts.routing import COMMANDS_EXCHANGE, command_routing_key
from spine_common.core.ids import MessageId
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework.ports.bus import Bus, Delivery, Verdict

DEADLINE = 10.0


class Inbox:
    """A handler that keeps what it is given and answers with one verdict."""

    def __init__(self, verdict: Verdict = Verdict.ACK) -> None:
        self._verdict = verdict
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    async def __call__(self, delivery: Delivery) -> Verdict:
        self._deliveries.put_nowait(delivery)
        return self._verdict

    async def next(self) -> Delivery:
        async with asyncio.timeout(DEADLINE):
            return await self._deliveries.get()

    def __len__(self) -> int:
        return self._deliveries.qsize()


class Workshop:
    """A handler that works until it is told to stop, and knows how many work at once."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.running = 0
        self.most = 0
        self.finished = 0
        self.seen: list[Delivery] = []

    async def __call__(self, delivery: Delivery) -> Verdict:
        self.seen.append(delivery)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.done.wait()
        finally:
            self.running -= 1
        self.finished += 1
        return Verdict.ACK


class Wire:
    """A network between a client and the broker that can be cut and frozen."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        credentials = self._url.netloc.rpartition("@")[0]
        return self._url._replace(netloc=f"{credentials}@127.0.0.1:{port}").geturl()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)

    async def close(self) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def cut(self) -> None:
        """Break every connection there is; new ones can be made at once."""
        for writer in self._writers:
            writer.transport.abort()
        self._flowing.set()

    def freeze(self) -> None:
        """Let nothing through until the next ``cut``."""
        self._flowing.clear()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self._url.hostname, self._url.port)
        self._writers |= {writer, back}
        await asyncio.gather(self._carry(reader, back), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until ``holds``, and no longer than the deadline."""
    async with asyncio.timeout(DEADLINE):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def command(
    number: int = 1,
    body: bytes = b'{"n": 1}',
    *,
    stage: Stage = Stage.NORMALIZE,
    lane: Lane = Lane.NORMAL,
    exchange: str = COMMANDS_EXCHANGE,
) -> Message:
    return Message(
        message_id=MessageId(f"id-{number}"),
        type=f"spine.command.{stage}.v1",
        exchange=exchange,
        routing_key=command_routing_key(stage, lane, "example"),
        body=body,
        headers={"traceparent": f"00-{number}"},
    )


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    return eventually


@pytest.fixture(name="command")
def command_fixture() -> Callable[..., Message]:
    return command


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def graveyard() -> Inbox:
    """Where a test looks for dead letters."""
    return Inbox()


@pytest.fixture
def rejecting() -> Inbox:
    return Inbox(Verdict.REJECT)


@pytest.fixture
def workshop() -> Workshop:
    return Workshop()


@pytest.fixture
async def rabbit(rabbit_url: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(rabbit_url)
    await bus.connect()
    await bus.declare()
    yield bus
    await bus.close(grace=0)


@pytest.fixture
async def inprocess() -> AsyncIterator[InProcessBus]:
    bus = InProcessBus()
    await bus.connect()
    await bus.declare()
    yield bus
    await bus.close(grace=0)


@pytest.fixture(params=["inprocess", pytest.param("rabbit", marks=pytest.mark.server)])
def bus(request: pytest.FixtureRequest) -> Bus:
    return request.getfixturevalue(request.param)


@pytest.fixture
async def wire(rabbit_url: str, rabbit: RabbitBus) -> AsyncIterator[Wire]:
    """Lead to a broker whose topology is there."""
    await rabbit.check()
    wire = Wire(rabbit_url)
    await wire.open()
    yield wire
    await wire.close()
