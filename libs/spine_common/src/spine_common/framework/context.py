"""What a stage may use: its domain, the object store, the manifest, and a thread to compute in."""

import asyncio
import io
import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import ParamSpec, TypeVar

import polars as pl

from spine_common.contracts.commands import Command
from spine_common.core.capture import Capture
from spine_common.core.domain import Domain
from spine_common.core.errors import DependencyMissing, PartitionContradicted
from spine_common.core.ids import CaptureId
from spine_common.core.pipeline import Stage
from spine_common.core.source import SourceFile, sha256
from spine_common.framework.ports.database import Database
from spine_common.framework.ports.storage import Sources, Store
from spine_common.framework.registry import Registry

P = ParamSpec("P")
T = TypeVar("T")


@cache
def _computing() -> ThreadPoolExecutor:
    """Return the threads that compute, apart from those that wait for files.

    As many as there are processors: more would only take turns, and a full house of computations
    must not keep the store, and with it readiness, waiting.
    """
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="compute")


def raw_key(digest: str) -> str:
    """Return the object-store key of bytes as fetched."""
    return f"raw/{digest}"


def normalized_key(capture: CaptureId, digest: str) -> str:
    """Return the object-store key of a capture's valid rows.

    The digest of the content is part of it: a worker that lost its fence, or one of another
    release, can't put other rows in the place of those the manifest names.
    """
    return f"normalized/{capture}.{digest[:12]}.parquet"


@dataclass(frozen=True, slots=True)
class StageContext:
    """The world as a stage sees it. It reads; the runner writes."""

    registry: Registry
    database: Database
    store: Store
    sources: Sources

    def domain(self, command: Command) -> Domain:
        """Return the command's domain."""
        return self.registry.domain(command.domain)

    async def compute(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a pure function in a thread, so that heartbeats go on meanwhile."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_computing(), partial(function, *args, **kwargs))

    async def keep_raw(self, source: SourceFile) -> str:
        """Put a publication's bytes into the object store and return their key."""
        key = raw_key(await self.compute(sha256, source.content))
        if not await self.store.exists(key):
            await self.store.put(key, source.content)
        return key

    async def read_raw(self, capture: Capture) -> SourceFile:
        """Return the bytes a capture was made from, as they were fetched."""
        return SourceFile(capture.source_name, await self.store.get(capture.raw_key))

    async def keep_normalized(self, capture: Capture, frame: pl.DataFrame) -> str:
        """Put a capture's valid rows into the object store as Parquet and return their key."""
        content = await self.compute(_to_parquet, frame)
        key = normalized_key(capture.capture_id, sha256(content))
        await self.store.put(key, content)
        return key

    async def read_normalized(self, capture: Capture) -> pl.DataFrame:
        """Return a capture's valid rows."""
        async with self.database.reading() as tx:
            key = await tx.manifest.object_key(capture, Stage.NORMALIZE)
        if key is None:
            raise _not_through(capture, Stage.NORMALIZE)
        content = await self.store.get(key)
        return await self.compute(pl.read_parquet, content)

    async def capture(self, command: Command) -> Capture:
        """Return the capture a command is about: the one it names, or its partition's latest."""
        named = command.params.get("capture_id")
        kind = self.domain(command).partition
        async with self.database.reading() as tx:
            if named is not None:
                capture = await tx.captures.get(CaptureId(named))
                _check_partition(capture, kind.known(command.params) if kind else {})
                return capture
            partition = kind.of(command.params) if kind else None
            latest = await tx.captures.latest(partition) if partition else None
        if latest is None:
            raise DependencyMissing(
                f"Nothing has been captured yet for {partition}.",
                remedy=f"Run the ingest pipeline of {command.domain} for it first.",
            )
        return latest

    async def missing(
        self, capture: Capture, stage: Stage, versions: Collection[str]
    ) -> frozenset[str]:
        """Return those versions of a stage's work that the manifest does not show as done."""
        async with self.database.reading() as tx:
            return frozenset(versions) - await tx.manifest.done(capture, stage)

    async def require(self, capture: Capture, stage: Stage) -> None:
        """Raise ``DependencyMissing`` unless an earlier stage is done for the capture."""
        async with self.database.reading() as tx:
            if not await tx.manifest.done(capture, stage):
                raise _not_through(capture, stage)


def _not_through(capture: Capture, stage: Stage) -> DependencyMissing:
    return DependencyMissing(
        f"{capture.capture_id} has not been through {stage} yet.",
        remedy=f"Run the {stage} pipeline of {capture.partition.domain} for it first.",
    )


def _check_partition(capture: Capture, wanted: Mapping[str, str]) -> None:
    if not wanted.items() <= capture.partition.params().items():
        raise PartitionContradicted(
            f"{capture.capture_id} is a capture of {capture.partition}, not of"
            f" {' '.join(wanted.values())}.",
            remedy="Leave the partition out, or name a capture of it.",
        )


def _to_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
