"""Whether questions are answered alike by both databases: order, pages, totals, unknown columns."""

from datetime import date
from decimal import Decimal

import pytest

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.errors import InvalidParams
from spine_common.core.pipeline import Stage
from spine_common.core.quality import check
from spine_common.framework.ports.queries import Window

from .builders import BY, DOMAIN, SAMPLE, captured, loaded, partition, rows, texts
from .test_evidence import rejected

pytestmark = pytest.mark.usefixtures("sample_table")

VALUES = [
    {"text": "b", "amount": Decimal(10), "ratio": 0.5},
    {"text": "B", "amount": Decimal(9), "ratio": 0.5},
    {"text": "a", "amount": None, "ratio": 0.25},
    {"text": None, "amount": Decimal("-1.5"), "ratio": None},
]


async def test_rows_come_in_the_order_asked_for_and_nulls_last(database: SqlDatabase):
    capture = await loaded(database, rows(VALUES))
    asked = [
        ([], [1, 2, 3, 4]),
        ([("line", True)], [4, 3, 2, 1]),
        ([("amount", False)], [4, 2, 1, 3]),
        ([("amount", True)], [1, 2, 4, 3]),
        ([("text", False)], [2, 3, 1, 4]),
        ([("text", True)], [1, 3, 2, 4]),
        ([("ratio", True), ("line", True)], [2, 1, 3, 4]),
        ([("ratio", False)], [3, 1, 2, 4]),
    ]

    async with database.reading() as tx:
        for order_by, lines in asked:
            page = await tx.queries.rows(SAMPLE, capture, window=Window(order_by=order_by))
            assert (order_by, [row["line"] for row in page.rows]) == (order_by, lines)


async def test_a_page_knows_how_many_rows_there_are_in_all(database: SqlDatabase):
    capture = await loaded(database, texts(*"abcdefg"))

    async with database.reading() as tx:
        middle = await tx.queries.rows(SAMPLE, capture, window=Window(limit=3, offset=2))
        end = await tx.queries.rows(SAMPLE, capture, window=Window(limit=3, offset=6))
        beyond = await tx.queries.rows(SAMPLE, capture, window=Window(limit=3, offset=70))
        none = await tx.queries.rows(SAMPLE, capture, window=Window(limit=0))
    assert ([row["text"] for row in middle.rows], middle.total) == (["c", "d", "e"], 7)
    assert ([row["text"] for row in end.rows], end.total) == (["g"], 7)
    assert (beyond.rows, beyond.total) == ([], 7)
    assert (none.rows, none.total) == ([], 7)


async def test_rows_are_picked_by_value(database: SqlDatabase):
    capture = await loaded(database, rows(VALUES))

    async with database.reading() as tx:
        for where, lines in [
            ({"text": "b"}, [1]),
            ({"ratio": 0.5, "amount": Decimal(9)}, [2]),
            ({"day": date(2025, 11, 14), "line": 3}, [3]),
            ({"text": "b' OR '1'='1"}, []),
        ]:
            page = await tx.queries.rows(SAMPLE, capture, where=where, window=Window())
            assert [row["line"] for row in page.rows] == lines
            assert page.total == len(lines)


async def test_an_unknown_column_is_refused_with_those_there_are(database: SqlDatabase):
    capture = await captured(database)

    async with database.reading() as tx:
        for where, order_by, field in [
            ({}, [("capture_no", True)], "order_by"),
            ({}, [("line; DROP TABLE rejects", False)], "order_by"),
            ({"capture_no": 1}, [], "capture_no"),
        ]:
            with pytest.raises(InvalidParams, match="day, line, text") as refused:
                await tx.queries.rows(
                    SAMPLE, capture, where=where, window=Window(order_by=order_by)
                )
            assert refused.value.details["field"] == field


async def test_captures_come_newest_first_and_say_which_is_the_latest(database: SqlDatabase):
    await captured(database, "a")
    await captured(database, "x", of=partition(side="B"))
    await captured(database, "b")

    async with database.reading() as tx:
        every = await tx.queries.captures(DOMAIN, window=Window())
        ours = await tx.queries.captures(
            DOMAIN, partition_key=partition().key, window=Window(limit=1)
        )
        nobodys = await tx.queries.captures("another.domain", window=Window())
    assert [(row["source_name"], row["version"], bool(row["is_latest"])) for row in every.rows] == [
        ("b.csv", 2, True),
        ("x.csv", 1, True),
        ("a.csv", 1, False),
    ]
    assert ([row["source_name"] for row in ours.rows], ours.total) == (["b.csv"], 2)
    assert (nobodys.rows, nobodys.total) == ([], 0)


async def test_coverage_shows_each_partition_by_its_latest_capture(database: SqlDatabase):
    old = await captured(database, "a")
    new = await captured(database, "b")
    bare = await captured(database, of=partition("2025-11-21"))
    async with database.transaction() as tx:
        await tx.evidence.rejects(old, Stage.NORMALIZE, rejected((2, "X"), (3, "X"), (4, "X")))
        await tx.manifest.complete(new, Stage.INGEST, {"v1": 3}, BY)
        await tx.manifest.complete(new, Stage.AGGREGATE, {"a_v1": 1, "b_v1": 1}, BY)
        await tx.evidence.rejects(new, Stage.NORMALIZE, rejected((2, "X"), (3, "Y")))
        answers = [
            check("good", holds=True, expected=1, observed=1),
            check("bad", holds=False, expected=1, observed=2),
        ]
        await tx.evidence.checks(new, Stage.AGGREGATE, answers, BY)

    async with database.reading() as tx:
        page = await tx.queries.coverage(DOMAIN, window=Window())
    found = [
        (row["capture_id"], row["stages_done"], row["rejected"], row["failed_checks"])
        for row in page.rows
    ]
    assert found == [(bare.capture_id, 0, 0, 0), (new.capture_id, 2, 2, 1)]
    assert page.total == 2


async def test_coverage_finds_partitions_by_a_piece_of_their_key(database: SqlDatabase):
    for slug in (("2025-11-14", "A"), ("2025-11-14", "B_1"), ("2025-11-21", "A")):
        await captured(database, of=partition(*slug))
    asked = [
        ("", ["2025-11-21.A", "2025-11-14.B_1", "2025-11-14.A"]),
        ("side=A", ["2025-11-21.A", "2025-11-14.A"]),
        ("SIDE=a", ["2025-11-21.A", "2025-11-14.A"]),
        ("2025-11-14", ["2025-11-14.B_1", "2025-11-14.A"]),
        ("_1", ["2025-11-14.B_1"]),
        ("%", []),
        ("side=C", []),
    ]

    async with database.reading() as tx:
        for contains, slugs in asked:
            page = await tx.queries.coverage(DOMAIN, contains=contains, window=Window())
            keys = [partition(*slug.split(".")).key for slug in slugs]
            assert (contains, [row["partition_key"] for row in page.rows]) == (contains, keys)


async def test_coverage_has_pages(database: SqlDatabase):
    for day in range(10, 15):
        await captured(database, of=partition(f"2025-11-{day}"))

    async with database.reading() as tx:
        page = await tx.queries.coverage(DOMAIN, window=Window(limit=2, offset=1))

    assert [row["business_date"].day for row in page.rows] == [13, 12]
    assert page.total == 5
