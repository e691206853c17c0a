"""Small orders, messages, captures and rows, as the tests of the database port need them."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from spine_common.contracts.message import Message
from spine_common.core.capture import Capture, NewCapture
from spine_common.core.dataset import Column, ColumnType, Dataset
from spine_common.core.execution import Execution
from spine_common.core.ids import ExecutionId, MessageId, new_execution_id
from spine_common.core.partition import Partition
from spine_common.core.pipeline import Lane, Stage, TriggerSource
from spine_common.core.source import sha256
from spine_common.framework.ports.database import Database
from spine_common.framework.ports.ledger import NewExecution

DOMAIN = "suite.sample"
DAY = "2025-11-14"
BY = ExecutionId("01900000-0000-7000-8000-000000000001")

SAMPLE = Dataset(
    name="sample",
    table="suite_sample",
    description="One column of every type, each nullable one beside one that is not.",
    columns=(
        Column("day", ColumnType.DATE, "Business date"),
        Column("line", ColumnType.INTEGER, "Line of the source file"),
        Column("text", ColumnType.TEXT, "Any text", nullable=True),
        Column("amount", ColumnType.QUANTITY, "An exact decimal", nullable=True),
        Column("ratio", ColumnType.RATIO, "A double", nullable=True),
        Column("other_day", ColumnType.DATE, "Another date", nullable=True),
        Column("flag", ColumnType.BOOLEAN, "Yes or no", nullable=True),
    ),
    key=("line",),
    business_date="day",
)


def order(
    key: str = "suite.work[]", *, execution_id: ExecutionId | None = None, **changes: Any
) -> NewExecution:
    fields: dict[str, Any] = {
        "execution_id": execution_id or new_execution_id(),
        "pipeline": "suite.work",
        "stage": Stage.NORMALIZE,
        "domain": DOMAIN,
        "lane": Lane.NORMAL,
        "params": {"force": False},
        "partition_key": None,
        "logical_key": key,
        "trigger_source": TriggerSource.API,
    }
    return NewExecution(**fields | changes)


async def submitted(database: Database, key: str = "suite.work[]", **changes: Any) -> Execution:
    async with database.transaction() as tx:
        execution, is_new = await tx.ledger.submit(order(key, **changes))
    assert is_new
    return execution


def message(number: int = 1, *, body: bytes = b"{}") -> Message:
    return Message(
        message_id=MessageId(f"message-{number}"),
        type="spine.command.normalize.v1",
        exchange="spine.commands",
        routing_key=f"normalize.normal.{DOMAIN}",
        body=body,
        headers={"traceparent": f"00-{number}"},
    )


def partition(day: str = DAY, side: str = "A") -> Partition:
    return Partition(DOMAIN, (("day", day), ("side", side)))


def new_capture(content: str = "a", *, of: Partition | None = None, **changes: Any) -> NewCapture:
    fields: dict[str, Any] = {
        "partition": of or partition(),
        "content_sha256": sha256(content.encode()),
        "raw_key": f"raw/{sha256(content.encode())}",
        "source_name": f"{content}.csv",
        "source_format": "sample",
        "source_updated_on": date(2025, 12, 15),
        "rows": 3,
        "bytes": len(content),
    }
    return NewCapture(**fields | changes)


async def captured(
    database: Database, content: str = "a", *, of: Partition | None = None, force: bool = False
) -> Capture:
    async with database.transaction() as tx:
        capture, _ = await tx.captures.admit(new_capture(content, of=of), BY, force=force)
    return capture


def rows(values: Iterable[Mapping[str, Any]], *, day: str = DAY) -> pl.DataFrame:
    """Return a frame of SAMPLE: lines are numbered from 1, what is left out is null."""
    given = [
        {"day": date.fromisoformat(day), "line": line, **value}
        for line, value in enumerate(values, start=1)
    ]
    return pl.DataFrame(given, schema=SAMPLE.schema)


def texts(*values: str | None) -> pl.DataFrame:
    return rows({"text": value} for value in values)


def amounts(*values: str | None) -> pl.DataFrame:
    return rows({"amount": None if value is None else Decimal(value)} for value in values)


async def loaded(database: Database, frame: pl.DataFrame, content: str = "a") -> Capture:
    async with database.transaction() as tx:
        capture, _ = await tx.captures.admit(new_capture(content), BY, force=False)
        await tx.tables.load(SAMPLE, capture, frame)
    return capture
