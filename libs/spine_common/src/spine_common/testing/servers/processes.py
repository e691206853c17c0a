"""How a process of ours is started, told apart later from any other process, and ended whole.

Servers outlive the process that starts them (an xdist worker ends before its siblings do), so they
are started through a shell that exits at once: nobody has to wait for them, and what identifies
them is a value that can be written to a file.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_ORPHANED = '"$@" >>"$SPINE_LOG" 2>&1 </dev/null & echo $!'


@dataclass(frozen=True, slots=True)
class Mark:
    """A process id with its birth, so that a recycled id is never taken for the process."""

    pid: int
    birth: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (one that only waits to be reaped does not)."""
        return _birth(self.pid) == self.birth


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user for servers that refuse to run as root."""

    uid: int
    gid: int


def launch(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, account: Account | None
) -> Mark | None:
    """Start ``argv`` in a session of its own, output to ``log``; None if it ended at once."""
    shell = subprocess.run(  # noqa: S603 - our own argument list, no user input
        ["/bin/sh", "-c", _ORPHANED, "sh", *argv],
        env={**env, "SPINE_LOG": str(log)},
        cwd=cwd,
        start_new_session=True,
        capture_output=True,
        text=True,
        check=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    pid = int(shell.stdout)
    birth = _birth(pid)
    return None if birth is None else Mark(pid, birth)


def terminate(mark: Mark, sign: signal.Signals, *, patience: float) -> None:
    """Ask a process to end by ``sign``; after ``patience`` seconds, end its whole tree."""
    if not mark.alive:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(mark.pid, sign)
    if not wait_until_gone([mark], patience):
        kill_tree(mark)


def kill_tree(mark: Mark) -> None:
    """End a process and all its descendants at once, as a power cut would.

    A process group is not enough: PostgreSQL's backends lead groups of their own. The root is
    frozen first, so that it neither has more children nor starts to recover from their loss.
    """
    if not mark.alive:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(mark.pid, signal.SIGSTOP)
    family = [mark, *_descendants(mark.pid)]
    for member in family:
        if member.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
    if not wait_until_gone(family, 10):
        raise TimeoutError(f"Process {mark.pid} or one of its children survived SIGKILL.")


def wait_until_gone(marks: Iterable[Mark], patience: float) -> bool:
    """Wait up to ``patience`` seconds for all of them to end; say whether they did."""
    left = list(marks)
    deadline = time.monotonic() + patience
    while left := [mark for mark in left if mark.alive]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _birth(pid: int) -> str | None:
    """When the process started, in the system's own spelling; None if it runs no more."""
    if _PROC.joinpath("self", "stat").exists():
        fields = _proc_stat(pid)
        return None if fields is None or fields[0] in "ZX" else fields[19]
    answer = _ps("-o", "stat=,lstart=", "-p", str(pid)).split(maxsplit=1)
    return None if len(answer) < 2 or answer[0].startswith("Z") else answer[1].strip()  # noqa: PLR2004 - state and start


def _descendants(root: int) -> list[Mark]:
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    ahead = [root]
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += below
    births = ((pid, _birth(pid)) for pid in found)
    return [Mark(pid, birth) for pid, birth in births if birth is not None]


def _parents() -> list[tuple[int, int]]:
    if not _PROC.joinpath("self", "stat").exists():
        rows = (line.split() for line in _ps("-A", "-o", "pid=,ppid=").splitlines())
        return [(int(pid), int(parent)) for pid, parent in rows]
    pids = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    stats = ((pid, _proc_stat(pid)) for pid in pids)
    return [(pid, int(fields[1])) for pid, fields in stats if fields is not None]


def _proc_stat(pid: int) -> list[str] | None:
    """Return the fields of ``/proc/<pid>/stat`` from the state on, past the command."""
    try:
        return _PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _ps(*arguments: str) -> str:
    return subprocess.run(  # noqa: S603 - fixed arguments
        ["/bin/ps", *arguments], capture_output=True, text=True, check=False
    ).stdout
