"""Frames into tables: ``COPY`` on PostgreSQL, one ``executemany`` on SQLite; no row objects."""

import asyncio
import io
from typing import Any

import polars as pl
from sqlalchemy import Table, delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.datatables import data_table
from spine_common.adapters.database.types import MICRO
from spine_common.core.capture import Capture
from spine_common.core.dataset import ColumnType, Dataset

# Unquoted in the CSV, so no text of the data can be it: texts are always quoted.
_NULL = "\\N"
# Of a COPY's text, so that one load never needs more memory than this beside the frame.
_SLICE_ROWS = 50_000
# A slice takes a fraction of a second; a server that needs minutes is away.
_COPY_SECONDS = 60.0


class SqlTables:
    """The data tables' room in one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def load(self, dataset: Dataset, capture: Capture, frame: pl.DataFrame) -> int:
        """Append ``frame``'s rows for the capture and return how many."""
        table = data_table(dataset)
        rows = dataset.conform(frame).with_columns(
            pl.lit(capture.capture_no, dtype=pl.Int64).alias("capture_no")
        )
        await load_frame(self._connection, table, rows.select(table.c.keys()), dataset)
        return rows.height

    async def clear(self, dataset: Dataset, capture: Capture) -> int:
        """Remove the capture's rows, for a forced run in the same transaction."""
        table = data_table(dataset)
        gone = await self._connection.execute(
            delete(table)
            .where(table.c[dataset.business_date] == capture.partition.business_date)
            .where(table.c.capture_no == capture.capture_no)
        )
        return gone.rowcount


async def load_frame(
    connection: AsyncConnection, table: Table, frame: pl.DataFrame, dataset: Dataset | None = None
) -> None:
    """Append a frame whose columns are the table's, in any order."""
    if frame.is_empty():
        return
    frame = frame.select(name for name in table.c.keys() if name in frame.columns)  # noqa: SIM118 - a column collection
    if connection.dialect.name == "postgresql":
        await _copy(connection, table, frame)
    else:
        await _executemany(connection, table, _for_sqlite(frame, dataset))


async def _copy(connection: AsyncConnection, table: Table, frame: pl.DataFrame) -> None:
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    for part in frame.iter_slices(_SLICE_ROWS):
        text = await asyncio.to_thread(_csv, part)
        # The driver's own limit does not hold while it waits for a connection that has died.
        async with asyncio.timeout(_COPY_SECONDS):
            await driver.copy_to_table(
                table.name,
                source=text,
                columns=part.columns,
                format="csv",
                null=_NULL,
                timeout=_COPY_SECONDS,
            )


def _csv(frame: pl.DataFrame) -> io.BytesIO:
    buffer = io.BytesIO()
    frame.write_csv(buffer, include_header=False, quote_style="non_numeric", null_value=_NULL)
    buffer.seek(0)
    return buffer


def _for_sqlite(frame: pl.DataFrame, dataset: Dataset | None) -> pl.DataFrame:
    exact = [c.name for c in dataset or () if c.type is ColumnType.QUANTITY]
    dates = [name for name, dtype in frame.schema.items() if dtype == pl.Date]
    return frame.with_columns(
        *((pl.col(name) * MICRO).cast(pl.Int64) for name in exact),
        *(pl.col(name).dt.to_string("%Y-%m-%d") for name in dates),
    )


async def _executemany(connection: AsyncConnection, table: Table, frame: pl.DataFrame) -> None:
    columns = [table.c[name] for name in frame.columns]
    # The driver's own text: SQLAlchemy would make a dict of every row.
    statement = str(
        insert(table).values(dict.fromkeys(columns)).compile(connection.engine.sync_engine)
    )
    for part in frame.iter_slices(_SLICE_ROWS):
        rows = await asyncio.to_thread(part.rows)
        await connection.exec_driver_sql(statement, rows)
