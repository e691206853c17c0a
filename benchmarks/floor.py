"""The floor: bare COPY of rows that are there already into empty tables of the same make."""

import io
import time

import asyncpg

TABLES = (
    "otc_raw",
    "otc_venue_volume",
    "otc_symbol_summary",
    "otc_venue_share",
    "otc_symbol_concentration",
)


async def copy_seconds(url: str) -> float:
    """Return how long one connection takes to COPY every data row once, a commit per table.

    The copies go into tables made ``LIKE … INCLUDING ALL``: same columns, same primary keys.
    """
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        contents = {table: await _contents(connection, table) for table in TABLES}
        for table in TABLES:
            await connection.execute(f"CREATE TABLE floor_{table} (LIKE {table} INCLUDING ALL)")
        await connection.execute("CHECKPOINT")
        began = time.perf_counter()
        for table, content in contents.items():
            await connection.copy_to_table(f"floor_{table}", source=content, format="csv")
        return time.perf_counter() - began
    finally:
        await connection.close()


async def _contents(connection: asyncpg.Connection, table: str) -> io.BytesIO:
    content = io.BytesIO()
    await connection.copy_from_table(table, output=content, format="csv")
    content.seek(0)
    return content
