"""How a made-up week becomes the bytes of a file."""

import gzip
from pathlib import Path

import polars as pl

from spine_common.testing.synthetic.defects import double_lines, placed, spoil_fields
from spine_common.testing.synthetic.layouts import SEPARATORS, written
from spine_common.testing.synthetic.market import market
from spine_common.testing.synthetic.publication import file_name
from spine_common.testing.synthetic.spoil import spoil_bytes
from spine_common.testing.synthetic.week import Week


def frame(week: Week) -> pl.DataFrame:
    """Return what the file says, before any defect, as typed rows in file order.

    Columns: ``line`` (the first row is line 2), ``symbol, issue_name, product, mpid, venue, firm,
    shares, trades``. Lines keep their numbers when others are withdrawn.
    """
    rows = market(week).with_row_index("line", offset=2).with_columns(pl.col("line").cast(pl.Int64))
    if week.changed:
        lines, shares = list(week.changed), list(week.changed.values())
        rows = rows.with_columns(
            shares=pl.col("line").replace_strict(lines, shares, default=pl.col("shares"))
        )
    return rows.filter(~pl.col("line").is_in(list(week.removed)))


def render(week: Week) -> bytes:
    """Return the bytes of the week's file, in its format and with its defects."""
    rows = frame(week)
    texts = rows.with_columns(
        pl.col("shares", "trades", "firm").cast(pl.String), tier=pl.lit(None, dtype=pl.String)
    )
    placement = placed(week.defects, rows.height, week.seed)
    texts = double_lines(spoil_fields(texts, placement), placement)
    return spoil_bytes(written(week, texts), week.defects, placement, SEPARATORS[week.format])


def write(week: Week, folder: Path, *, gz: bool = False) -> Path:
    """Write the week's file into ``folder`` under FINRA's name (plus ``.gz``); return its path."""
    name = file_name(week)
    path = folder / (f"{name}.gz" if gz else name)
    content = render(week)
    path.write_bytes(gzip.compress(content, mtime=0) if gz else content)
    return path
