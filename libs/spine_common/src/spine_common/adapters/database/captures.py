"""The immutable vintages of each partition, admitted one at a time under its lock."""

from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.statements import insert_into
from spine_common.adapters.database.tables import capture_sightings, captures, partitions
from spine_common.adapters.database.types import db_now
from spine_common.core.capture import Capture, NewCapture, capture_id_for
from spine_common.core.errors import CaptureNotFound
from spine_common.core.ids import CaptureId, CaptureNo, ExecutionId
from spine_common.core.partition import Partition


def partition_of(domain: str, key: str) -> Partition:
    """Read a partition back from the two columns it is stored in."""
    pairs = (part.split("=", 1) for part in key.split("/"))
    return Partition(domain, tuple((name, value) for name, value in pairs))


def to_capture(row: Row[Any]) -> Capture:
    """Read a capture from its row."""
    return Capture(
        partition=partition_of(row.domain, row.partition_key),
        content_sha256=row.content_sha256,
        raw_key=row.raw_key,
        source_name=row.source_name,
        source_format=row.source_format,
        source_updated_on=row.source_updated_on,
        rows=row.rows,
        bytes=row.bytes,
        capture_id=CaptureId(row.capture_id),
        capture_no=CaptureNo(row.capture_no),
        version=row.version,
        captured_at=row.captured_at,
        execution_id=row.execution_id,
    )


class SqlCaptures:
    """The captures' room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def latest(self, partition: Partition) -> Capture | None:
        """Return the partition's latest capture."""
        found = await self._connection.execute(
            select(captures)
            .where(captures.c.domain == partition.domain)
            .where(captures.c.partition_key == partition.key)
            .order_by(captures.c.version.desc())
            .limit(1)
        )
        row = found.first()
        return None if row is None else to_capture(row)

    async def get(self, capture_id: CaptureId) -> Capture:
        """Return the capture; ``CaptureNotFound`` if there is none."""
        found = await self._connection.execute(
            select(captures).where(captures.c.capture_id == capture_id)
        )
        row = found.first()
        if row is None:
            raise CaptureNotFound(
                f"There is no capture {capture_id!r}.", remedy="See `spine query captures`."
            )
        return to_capture(row)

    async def admit(
        self, new: NewCapture, execution_id: ExecutionId, *, force: bool
    ) -> tuple[Capture, bool]:
        """Make ``new`` the partition's latest capture, under the partition's lock."""
        await self._lock(new.partition)
        latest = await self.latest(new.partition)
        if latest is not None and latest.content_sha256 == new.content_sha256 and not force:
            await self.sighted(latest, new.source_name, execution_id)
            return latest, False
        version = 1 if latest is None else latest.version + 1
        inserted = await self._connection.execute(
            insert(captures)
            .values(
                capture_id=capture_id_for(new, version),
                domain=new.partition.domain,
                partition_key=new.partition.key,
                business_date=new.partition.business_date,
                version=version,
                content_sha256=new.content_sha256,
                raw_key=new.raw_key,
                source_name=new.source_name,
                source_format=new.source_format,
                source_updated_on=new.source_updated_on,
                rows=new.rows,
                bytes=new.bytes,
                captured_at=db_now(),
                execution_id=execution_id,
            )
            .returning(captures)
        )
        capture = to_capture(inserted.one())
        await self._connection.execute(
            update(partitions)
            .where(partitions.c.domain == new.partition.domain)
            .where(partitions.c.partition_key == new.partition.key)
            .values(latest_capture_no=capture.capture_no)
        )
        return capture, True

    async def _lock(self, partition: Partition) -> None:
        identity = {"domain": partition.domain, "partition_key": partition.key}
        await self._connection.execute(
            insert_into(self._connection, partitions).values(identity).on_conflict_do_nothing()
        )
        await self._connection.execute(
            select(partitions.c.latest_capture_no).filter_by(**identity).with_for_update()
        )

    async def sighted(self, capture: Capture, source_name: str, execution_id: ExecutionId) -> None:
        """Record that the source still says what ``capture`` holds."""
        await self._connection.execute(
            insert(capture_sightings).values(
                capture_no=capture.capture_no,
                seen_at=db_now(),
                source_name=source_name,
                execution_id=execution_id,
            )
        )

    async def partitions(self, domain: str) -> list[Partition]:
        """Return every captured partition of a domain, in key order."""
        rows = await self._connection.execute(
            select(partitions.c.partition_key)
            .where(partitions.c.domain == domain, partitions.c.latest_capture_no.is_not(None))
            .order_by(partitions.c.partition_key)
        )
        return [partition_of(domain, key) for (key,) in rows]
