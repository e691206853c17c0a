"""Whether a frame comes back out of a data table as it went in, to the last digit and byte."""

import math
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.capture import Capture
from spine_common.framework.ports.database import Database
from spine_common.framework.ports.queries import Row, Window

from .builders import DAY, SAMPLE, amounts, captured, loaded, rows, texts

pytestmark = pytest.mark.usefixtures("sample_table")

ALL = Window(limit=None)
AWKWARD = (
    "",
    " ",
    "\\N",
    "NULL",
    "\\",
    "\\.",
    "a\n\\.\nb",
    'say "hi"',
    '"',
    '""',
    "it's",
    "a|b,c;d\te",
    "line one\nline two\r\nline three\rend",
    " leading and trailing ",
    "Zürich, 東京, \U0001f4c8, e\u0301",
    "0012",
    "-1.50",
    "NaN",
    "true",
    "$$; DROP TABLE suite_sample; --",
    "%s :name ? {x}",
)


async def stored(database: Database, capture: Capture) -> list[Row]:
    async with database.reading() as tx:
        return (await tx.queries.rows(SAMPLE, capture, window=ALL)).rows


async def test_every_type_comes_back_as_it_went_in(database: SqlDatabase):
    row = {
        "day": date.fromisoformat(DAY),
        "line": 9_223_372_036_854_775_807,
        "text": "ABRpD",
        "amount": Decimal("6753871.500000"),
        "ratio": 0.821884,
        "other_day": date(1999, 12, 31),
        "flag": True,
    }

    capture = await loaded(database, pl.DataFrame([row], schema=SAMPLE.schema))

    assert await stored(database, capture) == [row]
    assert {name: type(value) for name, value in (await stored(database, capture))[0].items()} == {
        name: type(value) for name, value in row.items()
    }


async def test_awkward_texts_come_back_as_they_went_in(database: SqlDatabase):
    capture = await loaded(database, texts(*AWKWARD))

    assert [row["text"] for row in await stored(database, capture)] == list(AWKWARD)


async def test_nothing_and_an_empty_text_are_different(database: SqlDatabase):
    capture = await loaded(database, texts(None, "", None))

    assert [row["text"] for row in await stored(database, capture)] == [None, "", None]


async def test_every_nullable_type_can_be_null(database: SqlDatabase):
    capture = await loaded(database, rows([{}]))

    (row,) = await stored(database, capture)
    assert [row[c.name] for c in SAMPLE if c.nullable] == [None] * 5


async def test_decimals_of_twelve_digits_and_six_places_are_exact(database: SqlDatabase):
    given = ["999999999999.999999", "-999999999999.999999", "0.000001", "0", "123456.1", "0.3"]

    capture = await loaded(database, amounts(*given))

    found = [row["amount"] for row in await stored(database, capture)]
    assert found == [Decimal(value) for value in given]
    assert {value.as_tuple().exponent for value in found} == {-6}


async def test_doubles_are_the_same_doubles(database: SqlDatabase):
    given = [0.1, 1 / 3, math.pi, 1e-300, 1.7976931348623157e308, -2.5, 5e-324, 1e22, 123456789.0]

    capture = await loaded(database, rows({"ratio": value} for value in given))

    assert [row["ratio"] for row in await stored(database, capture)] == given


async def test_booleans_are_booleans(database: SqlDatabase):
    capture = await loaded(database, rows({"flag": value} for value in (True, False, None)))

    assert [row["flag"] for row in await stored(database, capture)] == [True, False, None]


async def test_a_load_takes_the_datasets_columns_in_any_order_and_type(database: SqlDatabase):
    loose = pl.DataFrame(
        {
            "line": pl.Series([1], dtype=pl.Int16),
            "extra": ["left out"],
            "amount": [1.5],
            **{name: [None] for name in ("flag", "other_day", "ratio", "text")},
            "day": [date.fromisoformat(DAY)],
        }
    )

    capture = await loaded(database, loose)

    (row,) = await stored(database, capture)
    assert (row["line"], row["amount"]) == (1, Decimal("1.5"))


async def test_a_missing_column_is_refused_before_anything_is_written(database: SqlDatabase):
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        await loaded(database, texts("a").drop("amount"))

    async with database.reading() as tx:
        assert (await tx.queries.captures("suite.sample", window=ALL)).total == 0


async def test_a_load_says_how_many_rows_it_was(database: SqlDatabase):
    capture = await captured(database)

    async with database.transaction() as tx:
        assert await tx.tables.load(SAMPLE, capture, SAMPLE.empty()) == 0
        assert await tx.tables.load(SAMPLE, capture, texts("a", "b")) == 2


async def test_a_load_of_many_slices_is_whole(database: SqlDatabase):
    many = 100_003
    frame = pl.DataFrame({"line": range(many)}).with_columns(
        pl.lit(date.fromisoformat(DAY)).alias("day"),
        pl.col("line").cast(pl.String).alias("text"),
        *(pl.lit(None).alias(name) for name in ("amount", "ratio", "other_day", "flag")),
    )

    capture = await loaded(database, frame)

    async with database.reading() as tx:
        page = await tx.queries.rows(SAMPLE, capture, window=Window(limit=1, offset=many - 1))
    assert page.total == many
    assert page.rows[0]["text"] == str(many - 1)


async def test_captures_keep_their_rows_apart(database: SqlDatabase):
    first = await loaded(database, texts("old"), "a")
    second = await loaded(database, texts("new"), "b")

    assert [row["text"] for row in await stored(database, first)] == ["old"]
    assert [row["text"] for row in await stored(database, second)] == ["new"]


async def test_clearing_takes_one_captures_rows(database: SqlDatabase):
    first = await loaded(database, texts("a", "b"), "a")
    second = await loaded(database, texts("c"), "b")

    async with database.transaction() as tx:
        assert await tx.tables.clear(SAMPLE, first) == 2
        await tx.tables.load(SAMPLE, first, texts("again"))

    assert [row["text"] for row in await stored(database, first)] == ["again"]
    assert [row["text"] for row in await stored(database, second)] == ["c"]
