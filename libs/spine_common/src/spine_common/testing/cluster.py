"""The services as processes of their own, to be watched, killed and started again by a test."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

STAGES = ("ingestor", "normalizer", "aggregator", "dlq")


@dataclass
class ServiceProcess:
    """One service, ``python -m spine_<name>.app``, logging to a file of its own."""

    name: str
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    restarted: bool = False
    """Whether somebody starts it again when it dies, so that to be dead is not the end."""
    _begins: int = 0

    def start(self) -> None:
        """Start the process; its web app takes a free port."""
        self._begins = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self.command(),
                env=self.variables(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def command(self) -> list[str]:
        """Return how it is started."""
        return [sys.executable, "-m", f"spine_{self.name}.app"]

    def variables(self) -> dict[str, str]:
        """Return its environment."""
        return {**os.environ, **self.environment}

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self.send(signal.SIGKILL)
        self.wait()

    def stop(self, patience: float = 30.0) -> int:
        """Ask it to stop (SIGTERM) and return its exit code."""
        self.send(signal.SIGTERM)
        return self.wait(patience)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process if it is still there."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def wait(self, patience: float = 30.0) -> int:
        """Return the exit code once it ended; ``TimeoutExpired`` if it does not."""
        assert self.process is not None, f"{self.name} was never started"  # noqa: S101 - misuse
        return self.process.wait(patience)

    def lines(self) -> list[dict[str, Any]]:
        """Return what it logged since it was started last."""
        return self._read(self._begins)

    def all_lines(self) -> list[dict[str, Any]]:
        """Return what it logged over all of its lives."""
        return self._read(0)

    def _read(self, begin: int) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        with self.log.open("rb") as written:
            written.seek(begin)
            text = written.read().decode(errors="replace")
        return [found for line in text.splitlines() if (found := _document(line)) is not None]

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a request to its web app; status 0 while there is none."""
        port = next((e["port"] for e in self.lines() if e.get("event") == "listening"), None)
        if port is None:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    async def ready(self, patience: float = 60.0) -> None:
        """Wait until it says that it is ready; raise with its log's end if it does not."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            has_ended = self.process is not None and self.process.poll() is not None
            if has_ended and not self.restarted:
                break
            status, _ = await asyncio.to_thread(self.get, "/health/ready")
            if status == 200:  # noqa: PLR2004 - HTTP's OK
                return
            await asyncio.sleep(0.1)
        raise AssertionError(
            f"{self.name} is not ready: {self.get('/health/ready')} {self._tail()}"
        )

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


def _document(line: str) -> dict[str, Any] | None:
    """Return a log line's document; None for other text, or a line cut off by a kill."""
    try:
        found = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


class Cluster:
    """Several services over one database, broker and store."""

    def __init__(
        self, environment: Mapping[str, str], folder: Path, names: Sequence[str] = STAGES
    ) -> None:
        given = {"SPINE_HTTP_PORT": "0", "SPINE_LOG_LEVEL": "INFO", **environment}
        folder.mkdir(parents=True, exist_ok=True)
        self.services = {
            name: ServiceProcess(name, given, folder / f"{name}.log") for name in names
        }

    def __getitem__(self, name: str) -> ServiceProcess:
        return self.services[name]

    async def __aenter__(self) -> Self:
        for service in self.services.values():
            service.start()
        try:
            await asyncio.gather(*(service.ready() for service in self.services.values()))
        except BaseException:
            self.end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Stop every process, by force if it does not stop when asked."""
        for service in self.services.values():
            service.send(signal.SIGTERM)
        for service in self.services.values():
            if service.process is None:
                continue
            try:
                service.wait(15)
            except subprocess.TimeoutExpired:
                service.kill()
