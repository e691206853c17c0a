"""Where publications come from when a person has them: files under allowed folders, and uploads."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from spine_common.adapters.sources.location import Held, checked_name, checked_text, parse_location
from spine_common.adapters.sources.regular import (
    DEFAULT_MAX_BYTES,
    checked_size,
    read_beneath,
    read_own,
)
from spine_common.core.errors import NotFound, SourceError, SourceForbidden, SourceNotFound
from spine_common.core.source import SourceFile, sha256
from spine_common.framework.ports.storage import Store


class FileSources:
    """Fetches files beneath ``roots``, and bytes that were uploaded to ``store``.

    A path outside of the roots is refused in the same words whether anything is there or not.
    """

    def __init__(
        self, roots: Sequence[Path], store: Store, max_bytes: int = DEFAULT_MAX_BYTES
    ) -> None:
        self._roots = tuple(root.absolute() for root in roots)
        self._store = store
        self._max_bytes = max_bytes

    async def fetch(self, location: str) -> SourceFile:
        """Return the bytes of a file or an upload as they are, up to ``max_bytes``.

        ``location`` is an absolute path beneath a root, a path relative to one (the first root
        that has it), or ``sha256:<hex>/<name>``. Raises ``InvalidParams`` for what is no
        location, ``SourceForbidden``, ``SourceNotFound``, ``SourceTooLarge``, ``SourceEmpty``.
        """
        where = parse_location(location)
        if isinstance(where, Held):
            return await self._held(where)
        return await asyncio.to_thread(self._file, where)

    async def _held(self, held: Held) -> SourceFile:
        try:
            content = await self._store.get(held.key)
        except NotFound as error:
            raise SourceNotFound(
                f"There are no bytes {held} in the object store.", remedy="Upload the file again."
            ) from error
        checked_size(len(content), shown=str(held), max_bytes=self._max_bytes)
        if await asyncio.to_thread(sha256, content) != held.digest:
            raise SourceError(
                f"The bytes kept as {held.key} have another digest: the store damaged them.",
                remedy="Delete that object and upload the file again.",
            )
        return SourceFile(held.name, content)

    def _file(self, location: str) -> SourceFile:
        roots = [Path(os.path.realpath(root)) for root in self._roots]
        missing: SourceNotFound | None = None
        for start in roots:
            path = Path(os.path.realpath(start / location))
            root = next((root for root in roots if path.is_relative_to(root)), None)
            # Hidden files hold settings and secrets, never a publication.
            if root is None or any(part[0] == "." for part in path.relative_to(root).parts):
                continue
            try:
                content = read_beneath(root, path, shown=location, max_bytes=self._max_bytes)
            except SourceNotFound as error:
                missing = missing or error
                continue
            return SourceFile(Path(location).name, content)
        raise missing or SourceForbidden(
            f"{location!r} is outside of the folders files may be read from.",
            remedy="Put it into one of the SPINE_FILE_ROOTS, or upload it.",
            location=location,
        )


async def upload(store: Store, path: Path | str, *, max_bytes: int = DEFAULT_MAX_BYTES) -> str:
    """Put a file of the caller's own into ``store`` and return its ``sha256:<hex>/<name>``.

    It may lie anywhere the caller can read; a relative path starts at the current folder.
    Raises as ``FileSources.fetch`` does, and ``StoreUnavailable``.
    """
    shown = checked_text(str(path))
    name = checked_name(Path(shown).name)
    resolved = Path(await asyncio.to_thread(os.path.realpath, shown))
    content = await asyncio.to_thread(read_own, resolved, shown=shown, max_bytes=max_bytes)
    held = Held(await asyncio.to_thread(sha256, content), name)
    if not await store.exists(held.key):
        await store.put(held.key, content)
    return str(held)
