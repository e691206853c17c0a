"""How a source line is cut into fields: by the delimiter alone, or as quoted CSV."""

import csv
from collections.abc import Callable, Iterator
from datetime import date, timedelta

import polars as pl

from spine_common.domains.finra.otc_transparency.formats import DATE_FIELDS, FIELDS, Format, Layout
from spine_common.domains.finra.otc_transparency.partition import (
    date_or_none,
    friday_of,
    tier_or_none,
)


def cut(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Return ``line`` and ``text`` of lines with their fields and what can be read off them.

    Every one of ``FIELDS`` becomes a text column, without the spaces around it, null if blank.
    ``width`` is the number of columns the line has, null where quotes are unbalanced; ``row_tier``
    is the canonical tier, ``row_week`` the week's Friday, and each of ``DATE_FIELDS`` has its day
    as ``row_<field>``: null where the text can't be read.
    """
    lines = lines.select("line", "text")
    rows = _cut_quoted(lines, layout) if layout.format.quoted else _cut_plain(lines, layout)
    return rows.with_columns(
        spelled(rows["tier"], tier_or_none, pl.String()).alias("row_tier"),
        spelled(rows["week"], _week_reader(layout.format), pl.Date()).alias("row_week"),
        *(
            spelled(rows[field], date_or_none, pl.Date()).alias(f"row_{field}")
            for field in DATE_FIELDS
        ),
    )


def spelled(
    texts: pl.Series, read: Callable[[str], object | None], dtype: pl.DataType
) -> pl.Series:
    """Return what ``read`` makes of each text, calling it once for each different one."""
    different = texts.unique().drop_nulls()
    meant = pl.Series([read(text) for text in different], dtype=dtype)
    return texts.replace_strict(different, meant, default=None, return_dtype=dtype)


def _week_reader(format_: Format) -> Callable[[str], date | None]:
    def read(text: str) -> date | None:
        day = date_or_none(text)
        friday = day + timedelta(days=format_.days_to_friday) if day else None
        return friday if friday and friday == friday_of(friday) else None

    return read


def _cut_plain(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    return _from_parts(lines, lines["text"].str.split(layout.format.delimiter), layout)


def _cut_quoted(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Cut lines in bulk where that is safe; only a line with unusual quotes is read on its own."""
    if not lines["text"].str.contains('"', literal=True).any():
        return _cut_plain(lines, layout)
    delimiter = layout.format.delimiter
    # A line break inside of quotes is none here: each line stands for itself, as in the raw table.
    field = rf'(?:"(?:[^"\r]|"")*"|[^"{delimiter}\r\x{{FEFF}}]*)'
    regular = f"^{field}(?:{delimiter}{field}){{{layout.width - 1}}}$"
    text = lines["text"].str
    quoted, safe = text.contains('"', literal=True), text.contains(regular)
    odd = lines.filter(quoted & ~safe)
    parts = pl.Series(
        [_read_line(line, delimiter) for line in odd["text"]], dtype=pl.List(pl.String)
    )
    return pl.concat(
        [
            _cut_plain(lines.filter(~quoted), layout),
            _cut_regular(lines.filter(quoted & safe), layout),
            _from_parts(odd, parts, layout),
        ]
    ).sort("line")


def _cut_regular(lines: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Cut lines known to be well quoted and to have all columns, together as one CSV file."""
    if lines.is_empty():
        return _from_parts(lines, pl.Series([], dtype=pl.List(pl.String)), layout)
    table = pl.read_csv(
        lines["text"].str.join("\n").item().encode(),
        has_header=False,
        infer_schema=False,
        separator=layout.format.delimiter,
    )
    return lines.hstack(table).select(
        *lines.columns,
        pl.lit(layout.width, pl.Int64).alias("width"),
        *_fields(layout, lambda at: pl.col(table.columns[at])),
    )


def _from_parts(lines: pl.DataFrame, parts: pl.Series, layout: Layout) -> pl.DataFrame:
    """Cut lines whose parts are lists already, null where the quotes are broken."""
    part = pl.col("_parts")
    return lines.with_columns(parts.alias("_parts")).select(
        *lines.columns,
        part.list.len().cast(pl.Int64).alias("width"),
        *_fields(layout, lambda at: part.list.get(at, null_on_oob=True)),
    )


def _fields(layout: Layout, part: Callable[[int], pl.Expr]) -> Iterator[pl.Expr]:
    for field in FIELDS:
        if field in layout.positions:
            text = part(layout.positions[field]).str.strip_chars()
            yield pl.when(text != "").then(text).alias(field)
        else:
            yield pl.lit(None, pl.String).alias(field)


def _read_line(line: str, delimiter: str) -> list[str] | None:
    if line.count('"') % 2:
        return None
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
