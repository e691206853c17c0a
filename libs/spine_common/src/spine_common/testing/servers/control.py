"""How a server is stopped, killed and started again, whatever it runs in."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from spine_common.testing.servers.container import Container
from spine_common.testing.servers.errors import NotOurs, ServerUnavailable
from spine_common.testing.servers.processes import Account, Mark, kill_tree, launch, terminate

_LOG_TAIL = 3_000


class Control(Protocol):
    """The four things that can be done to a server, and how to find it again from elsewhere."""

    def start(self) -> None:
        """Start it, on the same port and the same data; return before it is ready."""

    def stop(self) -> None:
        """End it as an administrator would, keeping its data."""

    def kill(self) -> None:
        """End it as a power cut would, keeping its data."""

    def end(self) -> None:
        """End it by the quickest way that leaves nothing behind, data included."""

    def running(self) -> bool:
        """Whether it has been started and has not ended."""

    def log(self) -> str:
        """Return the end of what it has written about itself."""

    def record(self) -> dict[str, Any]:
        """Return what ``control_from`` needs to find it again."""


@dataclass(frozen=True, slots=True)
class Given:
    """A server somebody else runs."""

    variable: str

    def start(self) -> None:
        """Refuse."""
        raise NotOurs(f"The server comes from {self.variable}: a test may use it, not control it.")

    stop = kill = start

    def end(self) -> None:
        """Leave it alone."""

    def running(self) -> bool:
        """Assume it: whoever gave the URL answers for it."""
        return True

    def log(self) -> str:
        """Return nothing; its log is not ours."""
        return ""

    def record(self) -> dict[str, Any]:
        """Return the variable it came from."""
        return {"control": "given", "variable": self.variable}


@dataclass(frozen=True, slots=True)
class LocalProcess:
    """A server started from local binaries, with everything it owns in ``home``."""

    home: Path

    @classmethod
    def prepared(  # noqa: PLR0913 - all of them are the launch
        cls,
        home: Path,
        argv: list[str],
        env: Mapping[str, str],
        *,
        account: Account | None = None,
        stop_by: signal.Signals = signal.SIGTERM,
        end_by: signal.Signals = signal.SIGKILL,
        stale: Sequence[Path] = (),
    ) -> "LocalProcess":
        """Write down how the server in ``home`` is started, stopped and ended.

        ``stale`` are the files that a killed server leaves behind and refuses to start over.
        """
        launch_order = {
            "argv": argv,
            "env": dict(env),
            "account": None if account is None else [account.uid, account.gid],
            "stop_by": int(stop_by),
            "end_by": int(end_by),
            "stale": [os.fspath(file) for file in stale],
        }
        (home / "launch.json").write_text(json.dumps(launch_order))
        return cls(home)

    def start(self) -> None:
        """Start the process unless it runs."""
        if self.running():
            return
        order = self._order()
        for file in order["stale"]:
            Path(file).unlink(missing_ok=True)
        mark = launch(
            order["argv"],
            env=order["env"],
            cwd=self.home,
            log=self._log_file,
            account=Account(*order["account"]) if order["account"] else None,
        )
        if mark is not None:
            (self.home / "process.json").write_text(json.dumps([mark.pid, mark.birth]))

    def stop(self) -> None:
        """Send the signal of an orderly end and wait for it."""
        if mark := self.mark:
            terminate(mark, signal.Signals(self._order()["stop_by"]), patience=60)

    def kill(self) -> None:
        """Kill the process and every descendant."""
        if mark := self.mark:
            kill_tree(mark)

    def end(self) -> None:
        """End the process and remove its home."""
        if mark := self.mark:
            end_by = signal.Signals(self._order()["end_by"])
            if end_by is not signal.SIGKILL:
                terminate(mark, end_by, patience=5)
            kill_tree(mark)
        shutil.rmtree(self.home, ignore_errors=True)

    def running(self) -> bool:
        """Whether the process lives."""
        mark = self.mark
        return mark is not None and mark.alive

    def log(self) -> str:
        """Return the end of its output."""
        text = self._log_file.read_text(errors="replace") if self._log_file.exists() else ""
        return text[-_LOG_TAIL:]

    def beside(self, program: str, *arguments: str) -> str:
        """Run a program that lies beside the server's, in its environment; return what it says."""
        order = self._order()
        answer = subprocess.run(  # noqa: S603 - a program of the server's own
            [str(Path(order["argv"][0]).parent / program), *arguments],
            env=order["env"],
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if answer.returncode:
            raise ServerUnavailable(f"{program} {arguments[0]}: {answer.stderr.strip()}")
        return answer.stdout

    def record(self) -> dict[str, Any]:
        """Return its home."""
        return {"control": "local", "home": os.fspath(self.home)}

    @property
    def mark(self) -> Mark | None:
        """The process last started, dead or alive."""
        file = self.home / "process.json"
        return Mark(*json.loads(file.read_text())) if file.exists() else None

    @property
    def _log_file(self) -> Path:
        return self.home / "server.log"

    def _order(self) -> dict[str, Any]:
        order: dict[str, Any] = json.loads((self.home / "launch.json").read_text())
        return order


def control_from(record: Mapping[str, Any]) -> Control:
    """Find a server again by its record."""
    match record["control"]:
        case "local":
            return LocalProcess(Path(record["home"]))
        case "container":
            return Container(record["id"])
        case _:
            return Given(record["variable"])
