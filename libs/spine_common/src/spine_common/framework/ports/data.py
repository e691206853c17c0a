"""Captures, the manifest, the data tables and the evidence: what the stages write."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import polars as pl

from spine_common.core.capture import Capture, NewCapture
from spine_common.core.dataset import Dataset
from spine_common.core.ids import CaptureId, ExecutionId
from spine_common.core.partition import Partition
from spine_common.core.pipeline import Stage
from spine_common.core.quality import QualityCheck


class Captures(Protocol):
    """The immutable vintages of each partition."""

    async def latest(self, partition: Partition) -> Capture | None:
        """Return the partition's latest capture."""

    async def get(self, capture_id: CaptureId) -> Capture:
        """Return the capture; ``CaptureNotFound`` if there is none."""

    async def admit(
        self, new: NewCapture, execution_id: ExecutionId, *, force: bool
    ) -> tuple[Capture, bool]:
        """Make ``new`` the partition's latest capture, under the partition's lock.

        If the latest one has the same content, that one is returned with False and the sighting
        is recorded; ``force`` makes a new capture even so.
        """

    async def sighted(self, capture: Capture, source_name: str, execution_id: ExecutionId) -> None:
        """Record that the source still says what ``capture`` holds."""

    async def partitions(self, domain: str) -> list[Partition]:
        """Return every captured partition of a domain, in key order."""


class Manifest(Protocol):
    """Which work is done: (capture, stage, version), each once."""

    async def done(self, capture: Capture, stage: Stage) -> frozenset[str]:
        """Return the versions of a stage's work that are complete for the capture."""

    async def complete(
        self,
        capture: Capture,
        stage: Stage,
        rows_by_version: Mapping[str, int],
        execution_id: ExecutionId,
        object_key: str | None = None,
    ) -> frozenset[str]:
        """Record work as done and return the versions that were not before.

        Raises ``AlreadyDone`` when other executions were first with every one of them.
        """

    async def object_key(self, capture: Capture, stage: Stage) -> str | None:
        """Return where the rows of a stage's work are in the object store."""

    async def reopen(self, capture: Capture, stage: Stage, versions: Sequence[str]) -> None:
        """Forget that work was done, for a forced run in the same transaction."""


class Tables(Protocol):
    """The data tables, one per dataset; every row belongs to a capture."""

    async def load(self, dataset: Dataset, capture: Capture, frame: pl.DataFrame) -> int:
        """Append ``frame``'s rows for the capture and return how many (``COPY`` on PostgreSQL)."""

    async def clear(self, dataset: Dataset, capture: Capture) -> int:
        """Remove the capture's rows, for a forced run in the same transaction."""


class Evidence(Protocol):
    """Rejects and quality checks: why a row or a partition is not right."""

    async def rejects(self, capture: Capture, stage: Stage, frame: pl.DataFrame) -> int:
        """Store a stage's rejects for the capture, in place of earlier ones."""

    async def checks(
        self,
        capture: Capture,
        stage: Stage,
        checks: Sequence[QualityCheck],
        execution_id: ExecutionId,
        *,
        afresh: bool = False,
    ) -> None:
        """Store a stage's quality checks for the capture, in place of earlier ones of the name.

        With ``afresh`` the stage's other checks go, too: all of its work was done again.
        """
