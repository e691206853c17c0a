"""Whether work is known to be done when the connection broke while its commit was confirmed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from spine_common.adapters.bus.inprocess import InProcessBus
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.contracts.commands import Command
from spine_common.core.errors import DatabaseUnavailable
from spine_common.core.execution import EventType, Status
from spine_common.framework.context import StageContext
from spine_common.framework.outcome import Done, Failed, PutBack
from spine_common.framework.ports.bus import Verdict
from spine_common.framework.stage import PlainResult, StageOutput

from .builders import delivery, done
from .conftest import Process


class Wire:
    """A network to PostgreSQL that can lose the reply to the next COMMIT, and the connection."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._losing = False
        self.lost = 0
        self._carrying: set[asyncio.Task[None]] = set()

    async def open(self) -> str:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        through = self._url.set(host="127.0.0.1", port=port)
        return through.render_as_string(hide_password=False)

    async def close(self) -> None:
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def lose_the_next_commits_reply(self) -> None:
        self._losing = True

    async def _connect(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, there = await asyncio.open_connection(self._url.host, self._url.port)
        cut = asyncio.Event()
        for carrying in (self._ask(client, there, cut), self._answer(server, back, cut)):
            task = asyncio.create_task(carrying)
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _ask(
        self, client: asyncio.StreamReader, there: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        try:
            while data := await client.read(65536):
                if self._losing and b"COMMIT" in data:
                    self._losing = False
                    cut.set()
                there.write(data)
                await there.drain()
        except OSError:
            pass
        finally:
            there.transport.abort()

    async def _answer(
        self, server: asyncio.StreamReader, back: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        try:
            while data := await server.read(65536):
                if cut.is_set():  # the server has done it and said so, and nobody hears it
                    self.lost += 1
                    break
                back.write(data)
                await back.drain()
        except OSError:
            pass
        finally:
            back.transport.abort()


@pytest.fixture
async def wire(postgres_url: str) -> AsyncIterator[Wire]:
    wire = Wire(make_url(postgres_url))
    yield wire
    await wire.close()


@pytest.fixture
async def remote(wire: Wire, bus: InProcessBus, tmp_path: Path) -> AsyncIterator[Process]:
    """A process that reaches its database over the wire."""
    database = SqlDatabase(await wire.open())
    yield Process(database, bus, tmp_path)
    await database.close()


async def test_a_commit_whose_reply_was_lost_is_recognised_as_done(remote: Process, wire: Wire):
    async def stage(_command: Command, _context: StageContext) -> StageOutput:
        wire.lose_the_next_commits_reply()
        return PlainResult({"done": True})

    execution = await remote.dispatcher.submit("suite.work")

    verdict = await remote.runner(stage).handle(delivery(execution))

    ended = await remote.get(execution)
    events = [event.type for event in await remote.events(execution)]
    assert wire.lost == 1
    assert verdict is Verdict.ACK
    assert [handled.outcome for handled in remote.handled] == [Done("completed")]
    assert (ended.status, ended.result) == (Status.COMPLETED, {"done": True})
    assert events == [EventType.SUBMITTED, EventType.STARTED, EventType.COMPLETED]


async def test_a_failure_whose_record_lost_its_reply_is_still_rejected(remote: Process, wire: Wire):
    async def stage(_command: Command, _context: StageContext) -> StageOutput:
        wire.lose_the_next_commits_reply()
        raise OSError("broken")

    execution = await remote.dispatcher.submit("suite.work")

    verdict = await remote.runner(stage).handle(delivery(execution))

    (handled,) = remote.handled
    assert wire.lost == 1
    assert verdict is Verdict.REJECT
    assert isinstance(handled.outcome, Failed)
    assert (await remote.get(execution)).status is Status.FAILED


async def test_a_claim_whose_reply_was_lost_is_put_back_for_later(remote: Process, wire: Wire):
    execution = await remote.dispatcher.submit("suite.work")
    wire.lose_the_next_commits_reply()

    verdict = await remote.runner(seconds=0.2).handle(delivery(execution))

    assert wire.lost == 1
    assert verdict is Verdict.ACK
    assert (await remote.get(execution)).status in {Status.RUNNING, Status.COMPLETED}
    if isinstance(remote.handled[0].outcome, PutBack):
        await remote.start(done)
        assert (await remote.ended(execution)).status is Status.COMPLETED
        await remote.bus.close()
        await remote.stop()


async def test_an_order_whose_reply_was_lost_is_the_same_when_given_again(
    remote: Process, wire: Wire
):
    wire.lose_the_next_commits_reply()
    with pytest.raises(DatabaseUnavailable):
        await remote.dispatcher.submit("suite.work")

    await remote.dispatcher.submit("suite.work")

    async with remote.database.reading() as tx:
        assert len(await tx.ledger.recent()) == 1
        assert (await tx.outbox.depth())[0] == 1
    assert wire.lost == 1
