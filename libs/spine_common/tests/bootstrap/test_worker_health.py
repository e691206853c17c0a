"""What a process says of itself over HTTP while its broker is away, and when it has gone deaf."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from spine_common.adapters.bus.rabbit import RabbitBus
from spine_common.bootstrap import hearing, worker
from spine_common.bootstrap.service import Service
from spine_common.bootstrap.settings import Settings
from spine_common.bootstrap.worker import running
from spine_common.testing.chaos.proxy import Proxy
from spine_common.testing.servers import RabbitServer

pytestmark = pytest.mark.slow

DESK = Service("dlq", dead_letters=True)
USER = "spine-deaf"


@pytest.fixture
async def network(rabbit_url: str) -> AsyncIterator[Proxy]:
    """The way to a broker whose topology is there."""
    bus = RabbitBus(rabbit_url)
    await bus.connect()
    await bus.declare()
    await bus.close()
    broker = urlsplit(rabbit_url)
    async with Proxy(str(broker.hostname), int(broker.port or 5672)) as proxy:
        yield proxy


def through(proxy: Proxy, rabbit_url: str, credentials: str | None = None) -> str:
    broker = urlsplit(rabbit_url)
    who = credentials or broker.netloc.rpartition("@")[0]
    host, port = proxy.address
    return broker._replace(netloc=f"{who}@{host}:{port}").geturl()


@asynccontextmanager
async def serving(
    broker: str, database: str, folder: Path, port: int
) -> AsyncIterator[httpx.AsyncClient]:
    settings = Settings(
        rabbitmq_url=broker,
        database_url=database,
        data_dir=folder,
        http_host="127.0.0.1",
        http_port=port,
        shutdown_grace_seconds=1,
    )
    async with (
        running([DESK], settings),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        yield http


async def until(http: httpx.AsyncClient, path: str, status: int) -> None:
    async with asyncio.timeout(30):
        while (await http.get(path)).status_code != status:  # noqa: ASYNC110 - it tells when asked
            await asyncio.sleep(0.1)


async def test_without_its_broker_a_process_is_alive_and_not_ready_until_it_is_back(
    network: Proxy, rabbit_url: str, sqlite_url: str, tmp_path: Path, unused_tcp_port: int
):
    broker = through(network, rabbit_url)
    async with serving(broker, sqlite_url, tmp_path, unused_tcp_port) as http:
        await until(http, "/health/ready", 200)

        network.refuse()
        await until(http, "/health/ready", 503)
        assert (await http.get("/health/live")).status_code == 200

        network.heal()
        await until(http, "/health/ready", 200)
        assert (await http.get("/health/live")).status_code == 200


@pytest.fixture
def listener(rabbit_server: RabbitServer, rabbit_url: str):
    """A user of the broker who can be forbidden to read."""
    vhost = urlsplit(rabbit_url).path.removeprefix("/")
    user = {"password": USER, "tags": ""}
    rabbit_server.management.call("PUT", f"/api/users/{USER}", user)

    def may_read(pattern: str) -> None:
        may = {"configure": ".*", "write": ".*", "read": pattern}
        rabbit_server.management.call("PUT", f"/api/permissions/{vhost}/{USER}", may)

    may_read(".*")
    yield may_read
    rabbit_server.management.call("DELETE", f"/api/users/{USER}")


async def test_a_process_deaf_for_too_long_while_the_broker_answers_asks_to_be_restarted(  # noqa: PLR0913, PLR0917 - a process, a broker, and the way between
    network: Proxy,
    rabbit_url: str,
    listener,
    sqlite_url: str,
    tmp_path: Path,
    unused_tcp_port: int,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(hearing, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(worker, "DEAF_SECONDS", 2.0)
    broker = through(network, rabbit_url, f"{USER}:{USER}")
    async with serving(broker, sqlite_url, tmp_path, unused_tcp_port) as http:
        await until(http, "/health/ready", 200)
        assert (await http.get("/health/live")).status_code == 200

        listener("")
        network.reset()
        await until(http, "/health/live", 503)
        answer = (await http.get("/health/ready")).json()
        assert answer["checks"]["consumers"]["status"] == "failed"

        listener(".*")
        await until(http, "/health/live", 200)
        await until(http, "/health/ready", 200)
