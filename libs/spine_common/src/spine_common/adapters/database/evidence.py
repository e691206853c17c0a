"""Rejects and quality checks: why a row or a partition is not right."""

from collections.abc import Sequence

import polars as pl
from sqlalchemy import delete, insert, true
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.bulk import load_frame
from spine_common.adapters.database.tables import quality_checks, rejects
from spine_common.adapters.database.types import db_now
from spine_common.core.capture import Capture
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import Stage
from spine_common.core.quality import QualityCheck
from spine_common.core.rejects import REJECT_SCHEMA


class SqlEvidence:
    """The evidence's room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def rejects(self, capture: Capture, stage: Stage, frame: pl.DataFrame) -> int:
        """Store a stage's rejects for the capture, in place of earlier ones."""
        await self._connection.execute(
            delete(rejects)
            .where(rejects.c.capture_no == capture.capture_no)
            .where(rejects.c.stage == stage.value)
        )
        stored = frame.cast(REJECT_SCHEMA).select(
            pl.lit(capture.capture_no, dtype=pl.Int64).alias("capture_no"),
            pl.lit(stage.value).alias("stage"),
            *REJECT_SCHEMA,
        )
        await load_frame(self._connection, rejects, stored)
        return stored.height

    async def checks(
        self,
        capture: Capture,
        stage: Stage,
        checks: Sequence[QualityCheck],
        execution_id: ExecutionId,
        *,
        afresh: bool = False,
    ) -> None:
        """Store a stage's quality checks for the capture, in place of earlier ones of the name."""
        named = quality_checks.c.name.in_([check.name for check in checks])
        await self._connection.execute(
            delete(quality_checks)
            .where(quality_checks.c.capture_no == capture.capture_no)
            .where(quality_checks.c.stage == stage.value)
            .where(true() if afresh else named)
        )
        for check in checks:
            await self._connection.execute(
                insert(quality_checks).values(
                    capture_no=capture.capture_no,
                    stage=stage.value,
                    name=check.name,
                    status=check.status.value,
                    expected=check.expected,
                    observed=check.observed,
                    detail=check.detail,
                    checked_at=db_now(),
                    execution_id=execution_id,
                )
            )
