"""Which work is done: (capture, stage, version), each once."""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.statements import insert_into
from spine_common.adapters.database.tables import manifest
from spine_common.adapters.database.types import db_now
from spine_common.core.capture import Capture
from spine_common.core.errors import AlreadyDone
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import Stage


class SqlManifest:
    """The manifest's room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def done(self, capture: Capture, stage: Stage) -> frozenset[str]:
        """Return the versions of a stage's work that are complete for the capture."""
        rows = await self._connection.execute(
            select(manifest.c.version)
            .where(manifest.c.capture_no == capture.capture_no)
            .where(manifest.c.stage == stage.value)
        )
        return frozenset(version for (version,) in rows)

    async def complete(
        self,
        capture: Capture,
        stage: Stage,
        rows_by_version: Mapping[str, int],
        execution_id: ExecutionId,
        object_key: str | None = None,
    ) -> frozenset[str]:
        """Record work as done and return the versions that were not before."""
        fresh = set()
        for version, rows in sorted(rows_by_version.items()):
            inserted = await self._connection.execute(
                insert_into(self._connection, manifest)
                .values(
                    capture_no=capture.capture_no,
                    stage=stage.value,
                    version=version,
                    rows=rows,
                    object_key=object_key,
                    completed_at=db_now(),
                    execution_id=execution_id,
                )
                .on_conflict_do_nothing()
                .returning(manifest.c.version)
            )
            if inserted.first() is not None:
                fresh.add(version)
        if not fresh:
            raise AlreadyDone(f"{stage} of {capture.capture_id} is done already.")
        return frozenset(fresh)

    async def object_key(self, capture: Capture, stage: Stage) -> str | None:
        """Return where the rows of a stage's work are in the object store."""
        key: str | None = await self._connection.scalar(
            select(manifest.c.object_key)
            .where(manifest.c.capture_no == capture.capture_no)
            .where(manifest.c.stage == stage.value)
            .where(manifest.c.object_key.is_not(None))
        )
        return key

    async def reopen(self, capture: Capture, stage: Stage, versions: Sequence[str]) -> None:
        """Forget that work was done, for a forced run in the same transaction."""
        await self._connection.execute(
            delete(manifest)
            .where(manifest.c.capture_no == capture.capture_no)
            .where(manifest.c.stage == stage.value)
            .where(manifest.c.version.in_(versions))
        )
