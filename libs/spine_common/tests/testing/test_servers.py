"""Private servers: fresh places for tests, breakable on purpose, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from spine_common.testing.servers import (
    Household,
    NotOurs,
    ServerUnavailable,
    discover,
    find_postgres,
    private_postgres,
    private_rabbit,
)
from spine_common.testing.servers.errors import NotHere
from spine_common.testing.servers.ports import free_ports
from spine_common.testing.servers.postgres import plain
from spine_common.testing.servers.processes import Mark, kill_tree, launch

PATIENCE = 60


def poll(happened, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"waited {PATIENCE} s for {what}"
        time.sleep(0.05)


async def run(url: str, *statements: str):
    connection = await asyncpg.connect(plain(url), timeout=10)
    try:
        answers = [await connection.fetch(statement) for statement in statements]
    finally:
        await connection.close()
    return answers[-1]


async def test_a_fresh_database_is_empty_and_its_copy_is_not(postgres_server, empty_postgres_url):
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert (await run(empty_postgres_url, tables))[0][0] == 0
    await run(empty_postgres_url, "CREATE TABLE t AS SELECT 7 AS x")
    copy = postgres_server.new_database(empty_postgres_url)
    assert (await run(copy, "SELECT x FROM t"))[0]["x"] == 7
    postgres_server.drop_database(copy)
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await run(copy, "SELECT 1")


async def test_a_killed_postgres_comes_back_where_it_was_with_what_was_committed(own_household):
    server = private_postgres(own_household)
    url = server.new_database()
    await run(url, "CREATE TABLE t (x int)", "INSERT INTO t VALUES (1)")
    assert (await run(url, "SHOW fsync"))[0][0] == "on"
    server.kill()
    assert not server.control.running()
    with pytest.raises(OSError, match=r"refused|failed"):
        await run(url, "SELECT 1")
    server.start()
    assert (await run(url, "SELECT x FROM t"))[0]["x"] == 1
    server.stop()
    server.start()
    assert (await run(url, "SELECT x FROM t"))[0]["x"] == 1


async def test_a_kill_takes_running_queries_with_it(own_household):
    server = private_postgres(own_household, durable=False)
    connection = await asyncpg.connect(plain(server.url))
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    server.kill()
    assert not _running(backend)
    connection.terminate()


@pytest.mark.slow
def test_a_killed_rabbit_comes_back_where_it_was(own_household):
    server = private_rabbit(own_household)
    url = server.new_vhost()
    vhost = urlsplit(url).path[1:]
    queue = f"/api/queues/{vhost}/q"
    server.management.call("PUT", queue, {"durable": True})
    server.stop()
    server.start()
    assert [found["name"] for found in server.management.queues(vhost)] == ["q"]
    server.kill()
    assert not server.control.running()
    with pytest.raises(OSError, match=r"refused|reset"):
        server.management.call("GET", "/api/overview")
    server.start()
    assert server.management.call("GET", f"/api/vhosts/{vhost}")["name"] == vhost


def test_a_fresh_virtual_host_is_empty_and_can_be_deleted(rabbit_server):
    url = rabbit_server.new_vhost()
    vhost = urlsplit(url).path[1:]
    assert rabbit_server.management.queues(vhost) == []
    rabbit_server.delete_vhost(url)
    names = [found["name"] for found in rabbit_server.management.call("GET", "/api/vhosts")]
    assert vhost not in names


def test_private_servers_keep_off_the_standard_ports(postgres_server, rabbit_server):
    if not os.environ.get(discover.DATABASE_VARIABLE):
        assert urlsplit(postgres_server.url).port != 5432
    if not os.environ.get(discover.RABBIT_VARIABLE):
        assert urlsplit(rabbit_server.url).port != 5672


@pytest.mark.server
def test_servers_end_when_the_process_that_owns_them_is_killed():
    program = (
        "from spine_common.testing.servers import Household, private_postgres\n"
        "household = Household.opened()\n"
        "server = private_postgres(household, durable=False)\n"
        "print(household.path, server.url, flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        path, url = owner.stdout.readline().split()
        assert _listening(url)
        owner.kill()
    poll(lambda: not Path(path).exists(), "the household's folder to be gone")
    assert not _listening(url)


@pytest.mark.server
def test_a_closed_household_leaves_neither_process_nor_file():
    with Household.opened() as household:
        server = private_postgres(household, durable=False)
        assert _listening(server.url)
    assert not _listening(server.url)
    assert not household.path.exists()


def test_a_given_server_is_used_and_not_controlled(monkeypatch, own_household, postgres_server):
    monkeypatch.setenv(discover.DATABASE_VARIABLE, plain(postgres_server.url))
    server = find_postgres(own_household)
    assert server.url == postgres_server.url
    server.drop_database(server.new_database())
    with pytest.raises(NotOurs, match=discover.DATABASE_VARIABLE):
        server.kill()


def test_a_given_server_that_does_not_answer_is_an_error_and_not_a_reason_for_another(
    monkeypatch, own_household
):
    monkeypatch.setattr(discover, "_GIVEN_PATIENCE_S", 0.1)
    (port,) = free_ports(1)
    monkeypatch.setenv(discover.DATABASE_VARIABLE, f"postgresql://a:b@127.0.0.1:{port}/c")
    with pytest.raises(ServerUnavailable, match="does not answer"):
        find_postgres(own_household)


def test_without_any_way_the_error_names_every_reason_and_the_remedy():
    def closed(reason: str):
        raise NotHere(reason)

    with pytest.raises(ServerUnavailable) as caught:
        discover._first("X", [lambda: closed("no engine"), lambda: closed("no root")], "Install x.")
    assert str(caught.value) == "No X can be had here: no engine; no root. Install x."


def test_a_failure_is_remembered_and_not_repeated(own_household):
    tries = []

    def make():
        tries.append(1)
        raise NotHere("no engine")

    with pytest.raises(NotHere):
        own_household.once("thing", make)
    joined = Household(own_household.path)
    with pytest.raises(ServerUnavailable, match="no engine"):
        joined.once("thing", make)
    assert len(tries) == 1


def test_what_one_process_made_the_others_find(own_household):
    assert own_household.once("thing", lambda: {"n": 1}) == {"n": 1}
    assert Household(own_household.path).once("thing", lambda: {"n": 2}) == {"n": 1}


def test_ports_are_distinct_and_outside_the_range_of_outgoing_connections():
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(20_000 <= port < 32_000 for port in ports)


def test_a_recycled_process_id_is_not_taken_for_ours():
    assert not Mark(os.getpid(), "another birth").alive


def test_killing_a_process_kills_descendants_that_left_its_group(tmp_path):
    pids = tmp_path / "pids"
    child = (
        "import os, pathlib, time; os.setsid();"
        f"pathlib.Path({str(pids)!r}).write_text(str(os.getpid())); time.sleep(600)"
    )
    parent = f"import subprocess,sys; subprocess.run([sys.executable,'-c',{child!r}])"
    mark = launch(
        [sys.executable, "-c", parent],
        env=dict(os.environ),
        cwd=tmp_path,
        log=tmp_path / "log",
        account=None,
    )
    poll(lambda: pids.exists() and pids.read_text(), "the grandchild")
    kill_tree(mark)
    assert not mark.alive
    assert not _running(int(pids.read_text()))


@pytest.mark.slow
@pytest.mark.server
def test_servers_in_a_shell_write_how_to_reach_them_and_end_on_a_signal(tmp_path):
    command = [sys.executable, "-m", "spine_common.testing.servers"]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as shell:
        printed = [shell.stdout.readline() for _ in range(5)]
        written = (tmp_path / ".servers" / "env").read_text()
        assert written == "".join(printed)
        named = dict(line.removeprefix("export ").split("=", 1) for line in printed)
        database = named["DATABASE_URL"].strip("'\n")
        assert _listening(database)
        assert named["RABBITMQ_URL"].strip("'\n").endswith("/spine")
        shell.send_signal(signal.SIGTERM)
        assert shell.wait(PATIENCE) == 0
    assert not _listening(database)
    assert not (tmp_path / ".servers" / "env").exists()


@pytest.mark.slow
@pytest.mark.server
def test_detached_servers_stay_until_they_are_stopped(tmp_path):
    command = [sys.executable, "-m", "spine_common.testing.servers"]

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own program
            [*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    started = call("--detach")
    database = started.stdout.splitlines()[0].removeprefix("export DATABASE_URL=").strip("'")
    assert _listening(database)
    assert call("--detach").returncode == 1
    assert call("--stop").returncode == 0
    assert not _listening(database)
    assert call("--stop").returncode == 1


def _running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _listening(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((parts.hostname, parts.port)) == 0
