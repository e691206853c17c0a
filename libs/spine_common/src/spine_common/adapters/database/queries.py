"""Questions people ask of the data, answered from the database, nothing written."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.captures import to_capture
from spine_common.adapters.database.datatables import data_table
from spine_common.adapters.database.digest import digest_rows
from spine_common.adapters.database.tables import (
    captures,
    manifest,
    partitions,
    quality_checks,
    rejects,
)
from spine_common.core.capture import Capture
from spine_common.core.dataset import Dataset
from spine_common.core.errors import CaptureNotFound, InvalidParams
from spine_common.core.partition import Partition
from spine_common.framework.ports.queries import Page, Row, Window

_IS_LATEST = (partitions.c.latest_capture_no == captures.c.capture_no).label("is_latest")
_PARTITION_OF_CAPTURE = and_(
    partitions.c.domain == captures.c.domain,
    partitions.c.partition_key == captures.c.partition_key,
)


class SqlQueries:
    """The read models' room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def capture_as_of(self, partition: Partition, as_of: datetime) -> Capture:
        """Return the partition's latest capture at that moment."""
        found = await self._connection.execute(
            select(captures)
            .where(captures.c.domain == partition.domain)
            .where(captures.c.partition_key == partition.key)
            .where(captures.c.captured_at <= as_of)
            .order_by(captures.c.version.desc())
            .limit(1)
        )
        row = found.first()
        if row is None:
            raise CaptureNotFound(
                f"Nothing had been captured for {partition} by {as_of.isoformat()}.",
                remedy=f"See `spine query captures` for what there is of {partition.domain}.",
            )
        return to_capture(row)

    async def captures(
        self, domain: str, *, partition_key: str | None = None, window: Window
    ) -> Page:
        """Return captures, newest first, each with whether it is its partition's latest."""
        query = (
            select(captures, _IS_LATEST)
            .join(partitions, _PARTITION_OF_CAPTURE)
            .where(captures.c.domain == domain)
            .order_by(captures.c.capture_no.desc())
        )
        if partition_key is not None:
            query = query.where(captures.c.partition_key == partition_key)
        return await self._page(query, window)

    async def coverage(self, domain: str, *, contains: str = "", window: Window) -> Page:
        """Return each partition whose key contains a text: latest capture, stages, rejects."""
        stages = (
            select(func.count(manifest.c.stage.distinct()))
            .where(manifest.c.capture_no == captures.c.capture_no)
            .scalar_subquery()
        )
        rejected = (
            select(func.count())
            .where(rejects.c.capture_no == captures.c.capture_no)
            .scalar_subquery()
        )
        failed = (
            select(func.count())
            .where(quality_checks.c.capture_no == captures.c.capture_no)
            .where(quality_checks.c.status == "failed")
            .scalar_subquery()
        )
        query = (
            select(
                captures,
                stages.label("stages_done"),
                rejected.label("rejected"),
                failed.label("failed_checks"),
            )
            .join(partitions, and_(_PARTITION_OF_CAPTURE, _IS_LATEST.element))
            .where(captures.c.domain == domain)
            # Whatever the case: LIKE minds it on PostgreSQL and does not on SQLite.
            .where(captures.c.partition_key.icontains(contains, autoescape=True))
            .order_by(captures.c.partition_key.desc())
        )
        return await self._page(query, window)

    async def rows(
        self,
        dataset: Dataset,
        capture: Capture,
        *,
        where: Mapping[str, Any] | None = None,
        window: Window,
    ) -> Page:
        """Return the rows one capture has in a dataset."""
        table = data_table(dataset)
        query = (
            select(*(table.c[name] for name in dataset.column_names))
            .where(table.c[dataset.business_date] == capture.partition.business_date)
            .where(table.c.capture_no == capture.capture_no)
        )
        for name, value in (where or {}).items():
            query = query.where(_column(dataset, name, field=name) == value)
        for name, descending in window.order_by:
            column = _column(dataset, name, field="order_by")
            ordered = column.desc() if descending else column.asc()
            query = query.order_by(ordered.nulls_last())  # left alone, the databases differ
        return await self._page(query.order_by(*(table.c[k] for k in dataset.key)), window)

    async def rejects(self, capture: Capture, *, reason: str | None = None, window: Window) -> Page:
        """Return a capture's rejects by line."""
        query = (
            select(rejects)
            .where(rejects.c.capture_no == capture.capture_no)
            .order_by(rejects.c.line, rejects.c.stage)
        )
        if reason is not None:
            query = query.where(rejects.c.reason == reason)
        return await self._page(query, window)

    async def reject_reasons(self, capture: Capture) -> Mapping[str, int]:
        """Return how many rejects a capture has for each reason."""
        found = await self._connection.execute(
            select(rejects.c.reason, func.count().label("rejected"))
            .where(rejects.c.capture_no == capture.capture_no)
            .group_by(rejects.c.reason)
            .order_by(func.count().desc(), rejects.c.reason)
        )
        return {row.reason: row.rejected for row in found}

    async def checks(self, capture: Capture) -> list[Row]:
        """Return a capture's quality checks by stage and name."""
        found = await self._connection.execute(
            select(quality_checks)
            .where(quality_checks.c.capture_no == capture.capture_no)
            .order_by(quality_checks.c.stage, quality_checks.c.name)
        )
        return [dict(row) for row in found.mappings()]

    async def digest(self, dataset: Dataset) -> str:
        """Return a SHA-256 over the dataset's ordered contents, captures named by their id."""
        return await digest_rows(self._connection, dataset)

    async def _page(self, query: Select[Any], window: Window) -> Page:
        total = await self._connection.scalar(
            select(func.count()).select_from(query.order_by(None).subquery())
        )
        found = await self._connection.execute(query.limit(window.limit).offset(window.offset))
        return Page([dict(row) for row in found.mappings()], total or 0)


def _column(dataset: Dataset, name: str, *, field: str) -> ColumnElement[Any]:
    if name not in dataset.column_names:
        raise InvalidParams(
            f"{dataset.name} has no column {name!r}.",
            remedy=f"Its columns: {', '.join(dataset.column_names)}.",
            field=field,
        )
    return data_table(dataset).c[name]
