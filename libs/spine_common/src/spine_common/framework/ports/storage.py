"""The object store keeps bytes under keys made by us; sources say where new bytes come from."""

from typing import Protocol

from spine_common.core.source import SourceFile


class Store(Protocol):
    """Keeps immutable objects under keys made by us: ``raw/<sha256>`` and the like."""

    async def put(self, key: str, content: bytes) -> None:
        """Keep ``content``, whole or not at all; the same key again replaces it atomically."""

    async def get(self, key: str) -> bytes:
        """Return the object; ``NotFound`` if there is none."""

    async def exists(self, key: str) -> bool:
        """Say whether there is an object of that key."""

    async def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that start with ``prefix``, sorted."""

    async def delete(self, key: str) -> None:
        """Remove the object if it is there."""

    async def check(self) -> None:
        """Raise ``StoreUnavailable`` unless objects can be written."""


class Sources(Protocol):
    """Fetches publications from where a command says they are."""

    async def fetch(self, location: str) -> SourceFile:
        """Return the bytes as they are; a ``SourceError`` says why they can't be had.

        ``location`` is a path under an allowed folder, or ``sha256:<hex>/<name>`` for bytes that
        are in the object store already.
        """
