"""Which servers belong to one run, and who ends them when it is over, however it is over.

A household is a folder. Whoever opened it holds a lock on it, which the system releases when that
process ends, even by SIGKILL; a keeper process waits for the lock and then ends what is left.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from spine_common.testing.servers.control import Control, control_from
from spine_common.testing.servers.errors import ServerUnavailable


class Household:
    """The servers of one run; every process of the run may join it by its path."""

    def __init__(self, path: Path, owner_lock: int | None = None) -> None:
        self.path = path
        self._owner_lock = owner_lock

    @classmethod
    def opened(cls) -> Self:
        """Open a household that lives as long as this process, or until ``close``."""
        path = _new_folder()
        lock = os.open(path / "owner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path, lock)

    @classmethod
    def detached(cls) -> Self:
        """Open a household that stays until somebody closes it by its path."""
        return cls(_new_folder())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every server of the household and remove its folder."""
        end_all(self.path)
        if self._owner_lock is not None:
            os.close(self._owner_lock)
            self._owner_lock = None

    def new_home(self, kind: str) -> Path:
        """Make a folder for one server's data."""
        return Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=self.path))

    def adopt(self, control: Control) -> None:
        """Take a server in, so that it ends with the household."""
        with self.exclusive("keeper"):
            if not (self.path / "keeper.started").exists() and self._has_owner:
                _start_keeper(self.path)
                (self.path / "keeper.started").touch()
        handle, name = tempfile.mkstemp(prefix="server-", suffix=".json", dir=self.path)
        with os.fdopen(handle, "w") as file:
            json.dump(control.record(), file)
        # A reader must never meet half a record.
        Path(name).rename(Path(name).with_suffix(".adopted"))

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Let one process of the run at a time through."""
        with (self.path / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what ``make`` returned the first time any process of the run asked for ``name``.

        A failure is remembered too, and raised again as ``ServerUnavailable``.
        """
        with self.exclusive(name):
            if not (remembered := self._remembered(name)):
                try:
                    remembered = {"value": make()}
                except Exception as error:
                    self._remember(name, {"error": f"{type(error).__name__}: {error}"})
                    raise
                self._remember(name, remembered)
        if "error" in remembered:
            raise ServerUnavailable(f"Tried once in this run already: {remembered['error']}")
        value: dict[str, Any] = remembered["value"]
        return value

    def answer(self, name: str) -> dict[str, Any] | None:
        """Return what ``once`` found for ``name``, or None if it never ran or failed."""
        return self._remembered(name).get("value")

    def _remembered(self, name: str) -> dict[str, Any]:
        file = self.path / f"{name}.answer"
        remembered: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return remembered

    def _remember(self, name: str, answer: dict[str, Any]) -> None:
        (self.path / f"{name}.answer").write_text(json.dumps(answer))

    @property
    def _has_owner(self) -> bool:
        return (self.path / "owner.lock").exists()


def end_all(path: Path) -> None:
    """End every server adopted in the household at ``path`` and remove the folder."""
    for adopted in sorted(path.glob("server-*.adopted"), reverse=True):
        control_from(json.loads(adopted.read_text())).end()
        adopted.unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)


def _new_folder() -> Path:
    """Make a folder an unprivileged server may pass through and nobody else may list."""
    path = Path(tempfile.mkdtemp(prefix="spine-servers-"))
    path.chmod(0o711)
    return path


def _start_keeper(path: Path) -> None:
    shell_command = '"$@" </dev/null >/dev/null 2>&1 &'
    keeper = [sys.executable, "-m", "spine_common.testing.servers.keeper", str(path)]
    subprocess.run(  # noqa: S603 - our own module
        ["/bin/sh", "-c", shell_command, "sh", *keeper], start_new_session=True, check=True
    )
