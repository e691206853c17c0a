"""What ends a run's servers when the run is killed: this process waits for that."""

import fcntl
import sys
from pathlib import Path

from spine_common.testing.servers.household import end_all


def keep(path: Path) -> None:
    """Wait until the owner of the household is gone, then end what it left."""
    try:
        lock = (path / "owner.lock").open("r+")
    except FileNotFoundError:
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        end_all(path)


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
