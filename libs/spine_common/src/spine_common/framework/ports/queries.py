"""Questions people ask of the data, answered from the database, nothing written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from spine_common.core.capture import Capture
from spine_common.core.dataset import Dataset
from spine_common.core.partition import Partition

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A window of rows and how many there are in all."""

    rows: list[Row] = field(repr=False)
    total: int


@dataclass(frozen=True, slots=True)
class Window:
    """Which rows of an answer: ``order_by`` is (column, descending) pairs."""

    limit: int | None = 50
    offset: int = 0
    order_by: Sequence[tuple[str, bool]] = ()


class Queries(Protocol):
    """Read models over captures, data tables and evidence."""

    async def capture_as_of(self, partition: Partition, as_of: datetime) -> Capture:
        """Return the partition's latest capture at that moment; ``CaptureNotFound`` if none."""

    async def captures(
        self, domain: str, *, partition_key: str | None = None, window: Window
    ) -> Page:
        """Return captures, newest first, each with whether it is its partition's latest."""

    async def coverage(self, domain: str, *, contains: str = "", window: Window) -> Page:
        """Return each partition whose key contains a text: latest capture, stages, rejects."""

    async def rows(
        self,
        dataset: Dataset,
        capture: Capture,
        *,
        where: Mapping[str, Any] | None = None,
        window: Window,
    ) -> Page:
        """Return the rows one capture has in a dataset."""

    async def rejects(self, capture: Capture, *, reason: str | None = None, window: Window) -> Page:
        """Return a capture's rejects by line."""

    async def reject_reasons(self, capture: Capture) -> Mapping[str, int]:
        """Return how many rejects a capture has for each reason."""

    async def checks(self, capture: Capture) -> list[Row]:
        """Return a capture's quality checks by stage and name."""

    async def digest(self, dataset: Dataset) -> str:
        """Return a SHA-256 over the dataset's ordered contents, captures named by their id.

        Two databases that hold the same numbers give the same digest, whatever their engine and
        the order the rows came in.
        """
