"""What the command's tests stand on: a folder of their own, and `spine` as a function."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from spine_cli.embedded import opened, quiet_settings, working
from spine_cli.main import app
from spine_common.contracts.shape import shape_of
from spine_common.core.errors import Kind
from spine_common.framework.ports.deadletters import DeadLetter
from spine_common.testing.synthetic import OTC, Defect, Week, write

Spine = Callable[..., Result]


@pytest.fixture(autouse=True)
def _own_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's reaches a test, and what it makes is in its folder."""
    for name in os.environ:
        if name.startswith("SPINE_") or name in {"DATABASE_URL", "RABBITMQ_URL", "LOG_LEVEL"}:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A command sets the process's log up; the next test must not have it."""
    root, framework = logging.getLogger(), logging.getLogger("spine_common.framework")
    before = root.handlers[:], root.level, framework.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    framework.setLevel(before[2])


@pytest.fixture
def spine() -> Spine:
    """Run a command line in this process: ``spine("run", "example.hello")``."""

    def invoke(*arguments: str, code: int = 0, **kwargs: Any) -> Result:
        result = CliRunner().invoke(app, list(arguments), **kwargs)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture
def document(spine: Spine) -> Callable[..., Any]:
    """Run a command with ``--json`` and return the one document on its stdout."""

    def invoke(*arguments: str, code: int = 0) -> Any:
        return json.loads(spine(*arguments, "--json", code=code).stdout)

    return invoke


@pytest.fixture
def weekly_file(tmp_path: Path) -> Path:
    """Return a made-up week with three rejects, in a folder no setting knows."""
    folder = tmp_path / "somewhere else"
    folder.mkdir()
    defects = {Defect.BLANK_SYMBOL: 2, Defect.NEGATIVE: 1}
    return write(Week(date(2025, 11, 14), OTC, rows=200, defects=defects), folder)


class Process:
    """The command as a process of its own."""

    def __init__(self, *arguments: str) -> None:
        program = Path(sys.executable).parent / "spine"
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def interrupt(self) -> tuple[int, str]:
        """Do what Ctrl-C does; return exit code and output."""
        self._process.send_signal(signal.SIGINT)
        output, _ = self._process.communicate(timeout=30)
        return self._process.returncode, output

    def wait(self) -> tuple[int, str]:
        """Wait until it ends by itself; return exit code and output."""
        output, _ = self._process.communicate(timeout=60)
        return self._process.returncode, output

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start the command as a process of its own; it is gone when the test is."""
    started: list[Process] = []

    def start_one(*arguments: str) -> Process:
        started.append(Process(*arguments))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()


@pytest.fixture
def fetch() -> Callable[..., Any]:
    """Ask a web address, with a body or without."""
    return _fetch


def _fetch(url: str, body: Any = None) -> Any:
    """Ask until there is an answer, up to half a minute."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    deadline = time.monotonic() + 30
    while True:
        request = urllib.request.Request(url, data, headers)  # noqa: S310 - our own address
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except OSError:
            time.sleep(0.1)
        assert time.monotonic() < deadline, f"no answer from {url}"


@pytest.fixture
def order() -> Callable[..., str]:
    """Order a pipeline as the API does, which does not look at files; return the execution's id."""

    async def submit(pipeline: str, params: Mapping[str, Any]) -> str:
        async with opened(quiet_settings()) as platform:
            ordered = await platform.dispatcher.submit(pipeline, params)
            return ordered.execution_id

    return lambda pipeline, **params: asyncio.run(submit(pipeline, params))


@pytest.fixture
def finish() -> Callable[[], None]:
    """Run all stages in this process until everything ordered has ended."""

    async def work() -> None:
        async with working(quiet_settings()) as platform, asyncio.timeout(30):
            while True:
                async with platform.database.reading() as tx:
                    waiting, _ = await tx.outbox.depth()
                    executions = await tx.ledger.recent(limit=1000)
                if not waiting and not any(execution.is_open for execution in executions):
                    return
                await asyncio.sleep(0.02)

    return lambda: asyncio.run(work())


@pytest.fixture
def keep() -> Callable[..., None]:
    """Keep a message that is none: ``keep(b"…", headers={…})``."""

    async def keep_one(body: bytes, values: Mapping[str, Any]) -> None:
        poison = DeadLetter(
            queue="spine.dlq",
            message_id=None,
            body=body,
            headers={},
            kind=Kind.POISON,
            code="MESSAGE_UNDECODABLE",
            reason="The bytes are no message.",
            shape=shape_of(body),
        )
        async with opened(quiet_settings()) as platform, platform.database.transaction() as tx:
            await tx.dead_letters.keep(replace(poison, **values))

    return lambda body, **values: asyncio.run(keep_one(body, values))
