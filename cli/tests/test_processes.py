"""Commands that stay: everything at once, workers, single services, and how they stop."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.fixture(params=["in process", "broker"])
def bus(request, monkeypatch) -> str:
    """Set the environment for a bus; a broker has nothing declared yet."""
    if request.param == "broker":
        monkeypatch.setenv("RABBITMQ_URL", request.getfixturevalue("rabbit_url"))
    return request.param


@pytest.mark.usefixtures("bus")
def test_everything_in_one_process_takes_orders_and_stops_cleanly(start, fetch):
    port = free_port()
    up = start("up", "--port", str(port))
    address = f"http://127.0.0.1:{port}"
    assert fetch(f"{address}/health/ready")["status"] == "ready"
    order = {"pipeline": "example.hello", "params": {"name": "Ada"}}
    ordered = fetch(f"{address}/api/v1/executions", order)
    deadline = time.monotonic() + 20
    while (now := fetch(address + ordered["poll_url"]))["status"] != "completed":
        assert time.monotonic() < deadline, now
        time.sleep(0.1)
    assert now["result"] == {"greeting": "Hello, Ada!"}
    code, output = up.interrupt()
    assert code == 0, output
    assert f"{address}/docs" in output
    assert "Traceback" not in output


def test_a_worker_does_what_is_submitted_beside_it(spine, start, fetch):
    spine("db", "init")
    port = free_port()
    worker = start("worker", "start", "--port", str(port))
    assert fetch(f"http://127.0.0.1:{port}/health/ready")["status"] == "ready"
    waited = spine("submit", "example.hello", "--wait", "--json")
    assert json.loads(waited.stdout)["status"] == "completed"
    code, output = worker.interrupt()
    assert code == 0, output


def test_the_api_alone_leaves_orders_to_those_who_can_do_them(spine, document, start, fetch):
    port = free_port()
    api = start("serve", "--port", str(port))
    address = f"http://127.0.0.1:{port}"
    fetch(f"{address}/health/ready")
    ordered = fetch(f"{address}/api/v1/executions", {"pipeline": "example.hello"})
    spine("run", "example.hello", "-p", "name=Other")
    assert document("execution", "show", ordered["id"])["status"] == "completed"
    assert api.interrupt()[0] == 0


def test_ctrl_c_ends_a_wait_without_a_traceback(spine, document, start):
    spine("db", "init")
    waiting = start("submit", "example.hello", "--wait")
    deadline = time.monotonic() + 30
    while not document("execution", "list")["executions"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    code, output = waiting.interrupt()
    assert code == 130
    assert "Traceback" not in output


def test_a_port_that_is_taken_is_said_so(spine):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = spine("up", "--port", port, code=1)
    assert "PORT_TAKEN" in result.stderr
    assert port in result.stderr


def test_services_run_beside_each_other(spine, start, fetch):
    spine("db", "init")
    commands = [("scheduler",), ("beat", "start"), ("service", "run", "api")]
    ports = [free_port() for _ in commands]
    services = [
        start(*words, "--port", str(port)) for words, port in zip(commands, ports, strict=True)
    ]
    for service, port in zip(services, ports, strict=True):
        assert fetch(f"http://127.0.0.1:{port}/health/live")["status"] == "alive"
        assert service.interrupt()[0] == 0


def test_a_missing_or_unknown_service_lists_those_there_are(spine):
    for words in ((), ("cook",)):
        said = spine("service", "run", *words, code=2).stderr
        assert "api, scheduler, ingestor, normalizer, aggregator, dlq" in said


def test_a_stage_alone_needs_a_broker(spine):
    assert "RABBITMQ_URL" in spine("service", "run", "ingestor", code=2).stderr


def test_help_is_there_before_anything_heavy_is_imported():
    code = (
        "import sys; from spine_cli.main import app; "
        "heavy = {'polars', 'sqlalchemy', 'faststream', 'fastapi', 'pydantic'}; "
        "print(sorted(heavy & sys.modules.keys()))"
    )
    ran = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_every_command_explains_itself(spine):
    for words in ((), ("run",), ("submit",), ("query", "venues"), ("service",), ("worker",)):
        assert "Usage: spine" in spine(*words, "--help").stdout
    assert spine("--version").stdout.startswith("spine ")
    assert Path(sys.executable).with_name("spine").exists()
