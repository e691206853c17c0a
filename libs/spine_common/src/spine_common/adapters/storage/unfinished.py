"""How bytes reach the disk before they have a name, and what becomes of those whose writer died."""

import contextlib
import os
import secrets
import time
from collections.abc import Iterator

from spine_common.adapters.storage.beneath import subfolder

_PREFIX = ".unfinished-"
_LEFTOVER_AGE = 3600.0
"""Seconds without a write after which an unfinished file has no writer any more."""


@contextlib.contextmanager
def unfinished(folder: int, content: bytes) -> Iterator[str]:
    """Yield the passing name of a file in ``folder`` that holds ``content``, safely on the disk.

    It is gone afterwards unless it was renamed.
    """
    name = f"{_PREFIX}{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o666, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)


def sweep(folder: int) -> None:
    """Remove the unfinished files beneath ``folder`` that nobody has written to for an hour."""
    _sweep(folder, before=time.time() - _LEFTOVER_AGE)


def _sweep(folder: int, *, before: float) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                with subfolder(entry.name, folder) as child:
                    _sweep(child, before=before)
            elif entry.name.startswith(_PREFIX):
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        os.unlink(entry.name, dir_fd=folder)
