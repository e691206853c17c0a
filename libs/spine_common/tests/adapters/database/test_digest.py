"""Whether a digest names the numbers, and nothing but the numbers."""

from decimal import Decimal

import polars as pl
import pytest

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.framework.ports.database import Database

from .builders import SAMPLE, captured, partition, rows

VALUES = [
    {"text": "ä|\\N", "amount": Decimal("1.5"), "ratio": 1 / 3, "flag": True},
    {"text": "", "amount": Decimal("999999999999.999999"), "ratio": -0.0, "flag": False},
    {"text": None, "amount": Decimal(0), "ratio": 1e-12},
    {"text": "Z", "ratio": 12345.678},
]
FRAME = rows(VALUES)


async def digest_of(database: Database, *frames: pl.DataFrame, backwards: bool = False) -> str:
    """Load frames, each as a capture of a partition of its own, and return the digest."""
    numbered = list(enumerate(frames))
    for number, frame in reversed(numbered) if backwards else numbered:
        capture = await captured(database, of=partition(side=str(number)))
        async with database.transaction() as tx:
            await tx.tables.load(SAMPLE, capture, frame.reverse() if backwards else frame)
    async with database.reading() as tx:
        return await tx.queries.digest(SAMPLE)


async def test_both_databases_agree_whatever_the_order_of_arrival(both: tuple[SqlDatabase, ...]):
    frames = (FRAME, FRAME.head(2), FRAME.tail(1))

    digests = {await digest_of(it, *frames, backwards=n > 0) for n, it in enumerate(both)}

    assert len(digests) == 1


@pytest.mark.usefixtures("sample_table")
async def test_a_digest_is_the_same_when_asked_again(database: SqlDatabase):
    first = await digest_of(database, FRAME)

    async with database.reading() as tx:
        assert await tx.queries.digest(SAMPLE) == first


@pytest.mark.usefixtures("sample_table")
async def test_a_digest_changes_with_a_single_value(database: SqlDatabase):
    capture = await captured(database)
    changes = [
        {},
        {"text": "Z "},
        {"text": None},
        {"amount": Decimal("0.000001")},
        {"ratio": 12345.678000000002},
        {"flag": False},
        {"line": 5},
    ]
    digests = []

    for change in changes:
        async with database.transaction() as tx:
            await tx.tables.clear(SAMPLE, capture)
            await tx.tables.load(SAMPLE, capture, rows([*VALUES[:-1], VALUES[-1] | change]))
            digests.append(await tx.queries.digest(SAMPLE))

    assert len(set(digests)) == len(changes)


@pytest.mark.usefixtures("sample_table")
async def test_a_digest_changes_with_the_capture_the_rows_belong_to(database: SqlDatabase):
    one, two = await captured(database, "a"), await captured(database, "b")
    digests = []

    for capture in (one, two):
        async with database.transaction() as tx:
            await tx.tables.load(SAMPLE, capture, FRAME)
            digests.append(await tx.queries.digest(SAMPLE))
            await tx.tables.clear(SAMPLE, capture)

    assert digests[0] != digests[1]
