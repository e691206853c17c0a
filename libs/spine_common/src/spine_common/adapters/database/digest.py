"""One hash over a data table, the same for the same numbers whatever the database."""

import hashlib
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from spine_common.adapters.database.datatables import data_table
from spine_common.adapters.database.tables import captures
from spine_common.core.dataset import Dataset

_MISSING = "\x00"


async def digest_rows(connection: AsyncConnection, dataset: Dataset) -> str:
    """Return the SHA-256 over a dataset's rows, ordered by business date, capture id and key.

    Capture numbers depend on the order of arrival, so the capture's id stands for them.
    """
    table = data_table(dataset)
    query = (
        select(captures.c.capture_id, *(table.c[name] for name in dataset.column_names))
        .join(captures, captures.c.capture_no == table.c.capture_no)
        .order_by(
            table.c[dataset.business_date],
            table.c.capture_no,
            *(table.c[name] for name in dataset.key),
        )
    )
    # Rows come capture by capture; a digest for each, put in the captures' order at the end.
    digests: dict[str, Any] = {}
    async with connection.stream(query) as rows:
        async for part in rows.partitions(10_000):
            for row in part:
                digests.setdefault(row[0], hashlib.sha256()).update(_line(row[1:]))
    whole = hashlib.sha256()
    for capture_id in sorted(digests):
        whole.update(f"{capture_id}\n{digests[capture_id].hexdigest()}\n".encode())
    return whole.hexdigest()


def _line(values: Iterable[Any]) -> bytes:
    return ("\x1f".join(_spell(value) for value in values) + "\n").encode()


def _spell(value: Any) -> str:
    match value:
        case None:
            return _MISSING
        case Decimal():
            return f"{value:.6f}"
        case float():
            return repr(value + 0.0)  # SQLite keeps no negative zero
        case date():
            return value.isoformat()
        case _:
            return str(value)
