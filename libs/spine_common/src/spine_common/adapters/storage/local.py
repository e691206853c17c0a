"""Where objects are kept on one machine: a file each, beneath one folder."""

import asyncio
import contextlib
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from spine_common.adapters.storage.beneath import folder_beneath, open_file, subfolder
from spine_common.adapters.storage.keys import checked_key, checked_prefix, is_segment
from spine_common.adapters.storage.unfinished import sweep, unfinished
from spine_common.core.errors import NotFound, StoreUnavailable

_SWEEP_INTERVAL = 3600.0


class LocalStore:
    """Keeps objects as files beneath ``root``, which is created when it is first needed.

    An object appears under its key in one rename, after its bytes are on the disk. Whatever the
    file system refuses is ``StoreUnavailable``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._next_sweep = 0.0
        self._sweep_lock = threading.Lock()

    async def put(self, key: str, content: bytes) -> None:
        """Keep ``content``, whole or not at all; the same key again replaces it atomically."""
        await asyncio.to_thread(self._put, checked_key(key), content)

    async def get(self, key: str) -> bytes:
        """Return the object; ``NotFound`` if there is none."""
        return await asyncio.to_thread(self._get, checked_key(key))

    async def exists(self, key: str) -> bool:
        """Say whether there is an object of that key."""
        return await asyncio.to_thread(self._exists, checked_key(key))

    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with ``prefix``, sorted."""
        return await asyncio.to_thread(self._keys, checked_prefix(prefix))

    async def delete(self, key: str) -> None:
        """Remove the object if it is there."""
        await asyncio.to_thread(self._delete, checked_key(key))

    async def check(self) -> None:
        """Raise ``StoreUnavailable`` unless objects can be written.

        Now and then it also removes what writers that died have left behind.
        """
        await asyncio.to_thread(self._check)

    def _put(self, key: str, content: bytes) -> None:
        *folders, name = key.split("/")
        with _translated(f"write {key}"), self._folder(folders, create=True) as folder:
            with unfinished(folder, content) as passing_name:
                os.rename(passing_name, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    def _get(self, key: str) -> bytes:
        *folders, name = key.split("/")
        with _translated(f"read {key}"):
            try:
                with self._folder(folders) as folder:
                    # A link in an object's place was not put there by us: it is no object.
                    if _is_object(name, folder):
                        with os.fdopen(open_file(name, folder), "rb") as file:
                            return file.read()
            except (FileNotFoundError, NotADirectoryError):
                pass
        raise NotFound(f"There is no object {key!r} in the store.", key=key)

    def _exists(self, key: str) -> bool:
        *folders, name = key.split("/")
        with _translated(f"look for {key}"):
            try:
                with self._folder(folders) as folder:
                    return _is_object(name, folder)
            except (FileNotFoundError, NotADirectoryError):
                return False

    def _keys(self, prefix: str) -> list[str]:
        *folders, _ = prefix.split("/")
        base = "".join(f"{folder}/" for folder in folders)
        with _translated("list its objects"), contextlib.ExitStack() as opened:
            try:
                folder = opened.enter_context(self._folder(folders))
            except (FileNotFoundError, NotADirectoryError):
                return []
            found = [base + path for path in _objects(folder)]
        return sorted(key for key in found if key.startswith(prefix))

    def _delete(self, key: str) -> None:
        *folders, name = key.split("/")
        with _translated(f"delete {key}"):
            try:
                with self._folder(folders) as folder:
                    if _is_object(name, folder):
                        os.unlink(name, dir_fd=folder)
                        os.fsync(folder)
            except (FileNotFoundError, NotADirectoryError):
                return

    def _check(self) -> None:
        with _translated("write"), self._folder([]) as folder:
            with unfinished(folder, b"can this be written?"):
                pass
            if self._sweep_is_due():
                sweep(folder)

    def _sweep_is_due(self) -> bool:
        # Readiness asks every few seconds; walking a large store as often would be a load of
        # its own.
        with self._sweep_lock:
            now = time.monotonic()
            if now < self._next_sweep:
                return False
            self._next_sweep = now + _SWEEP_INTERVAL
            return True

    @contextlib.contextmanager
    def _folder(self, parts: list[str], *, create: bool = False) -> Iterator[int]:
        self.root.mkdir(parents=True, exist_ok=True)
        with folder_beneath(self.root, parts, create=create) as folder:
            yield folder


def _is_object(name: str, folder: int) -> bool:
    return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _objects(folder: int) -> Iterator[str]:
    """Yield the path of every object beneath ``folder``, following no links."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_segment(entry.name):
                continue
            if entry.is_file(follow_symlinks=False):
                yield entry.name
            elif entry.is_dir(follow_symlinks=False):
                with subfolder(entry.name, folder) as child:
                    yield from (f"{entry.name}/{path}" for path in _objects(child))


@contextlib.contextmanager
def _translated(action: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"The object store can't {action}: {error.strerror or error}.",
            remedy="Look at the free space, the permissions and the mount of STORAGE_LOCAL_PATH.",
            errno=error.errno,
        ) from error
