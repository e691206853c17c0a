"""How to open what lies beneath a folder without ever following a symbolic link out of it.

Every step goes through the descriptor of the step before, so nobody can swap a folder for a link
between a check and its use.
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe waits for somebody to write into it.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@contextlib.contextmanager
def folder_beneath(root: Path, parts: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """Yield the descriptor of ``root/parts…``; only ``root`` itself may be a link.

    Raises ``FileNotFoundError`` for a missing folder (unless it may be created) and
    ``NotADirectoryError`` for a link or a file in a folder's place.
    """
    descriptor = os.open(root, _FOLDER)
    try:
        for part in parts:
            if create:
                _make_folder(part, descriptor)
            child = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = child
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def subfolder(name: str, folder: int) -> Iterator[int]:
    """Yield the descriptor of a folder directly inside ``folder``."""
    descriptor = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(name: str, folder: int | None = None) -> int:
    """Open a file directly inside ``folder``, or of that path; the caller judges and closes it."""
    return os.open(name, _FILE, dir_fd=folder)


def _make_folder(name: str, parent: int) -> None:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return
    os.fsync(parent)
