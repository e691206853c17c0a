"""What can be wrong with a published file, and how a made-up one gets it.

Every count in ``Week.defects`` is a number of lines, each with one defect only and never the last
one; for the defects of a whole file any count above zero means yes.
"""

from collections.abc import Mapping
from enum import StrEnum

import polars as pl

from spine_common.testing.synthetic.draws import draw


class Defect(StrEnum):
    """One thing that is wrong, or merely unusual, in a file."""

    BLANK_SYMBOL = "blank_symbol"
    """A line without a symbol, as real files have."""
    LOWER_CASE_SYMBOL = "lower_case_symbol"
    """A symbol in lower case: another security, or none."""
    NEGATIVE = "negative"
    """A volume below zero."""
    TEXT_QUANTITY = "text_quantity"
    """A volume that is no number."""
    DECIMAL = "decimal"
    """A volume with six places: valid, and to be kept exactly."""
    TOO_MANY_PLACES = "too_many_places"
    """A volume with seven places: one more than FINRA publishes."""
    UNKNOWN_TIER = "unknown_tier"
    """A tier FINRA does not have."""
    DUPLICATE = "duplicate"
    """A line that is followed by a copy of itself."""
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    """A line that is followed by one of the same key with one share more."""
    EXTRA_FIELD = "extra_field"
    """A line with one field more than the header."""
    INVALID_UTF8 = "invalid_utf8"
    """A line with a byte that is no UTF-8."""
    EXTRA_COLUMN = "extra_column"
    """The whole file: that many columns more, at the end."""
    TORN_LAST_LINE = "torn_last_line"
    """The whole file: it ends in the middle of its last line."""
    NO_FINAL_NEWLINE = "no_final_newline"
    """The whole file: its last line is complete but not terminated."""
    BOM = "bom"
    """The whole file: it starts with a byte order mark."""
    CRLF = "crlf"
    """The whole file: lines end as on Windows."""


WHOLE_FILE = frozenset(
    {
        Defect.EXTRA_COLUMN,
        Defect.TORN_LAST_LINE,
        Defect.NO_FINAL_NEWLINE,
        Defect.BOM,
        Defect.CRLF,
    }
)
_IN_A_FIELD = {
    Defect.BLANK_SYMBOL: ("symbol", pl.lit("")),
    Defect.LOWER_CASE_SYMBOL: ("symbol", pl.col("symbol").str.to_lowercase()),
    Defect.NEGATIVE: ("shares", pl.concat_str(pl.lit("-"), "shares")),
    Defect.TEXT_QUANTITY: ("shares", pl.lit("n/a")),
    Defect.DECIMAL: ("shares", pl.concat_str("shares", pl.lit(".123456"))),
    Defect.TOO_MANY_PLACES: ("shares", pl.concat_str("shares", pl.lit(".1234567"))),
    Defect.UNKNOWN_TIER: ("tier", pl.lit("NMS Tier 9")),
}
DOUBLING = (Defect.DUPLICATE, Defect.CONFLICTING_DUPLICATE)

Placement = Mapping[Defect, list[int]]


def placed(defects: Mapping[Defect, int], rows: int, seed: int) -> Placement:
    """Choose the rows (counted from 0) that get each defect; no row gets two."""
    wanted = {kind: defects.get(kind, 0) for kind in Defect if kind not in WHOLE_FILE}
    needed = sum(wanted.values())
    if not needed:
        return {}
    if needed >= rows:
        raise ValueError(f"{needed} defects need more than {needed} rows; there are {rows}.")
    numbers = pl.int_range(rows - 1, dtype=pl.UInt64, eager=True)
    chances = pl.DataFrame({"row": numbers, "chance": draw(seed, "defect", numbers)})
    order = chances.sort("chance")["row"].head(needed).to_list()
    placement: dict[Defect, list[int]] = {}
    for kind, count in wanted.items():
        placement[kind], order = sorted(order[:count]), order[count:]
    return placement


def spoil_fields(texts: pl.DataFrame, placement: Placement) -> pl.DataFrame:
    """Put the defects into the fields of a frame of texts that has ``symbol, shares, tier``."""
    for kind, (column, spoiled) in _IN_A_FIELD.items():
        if rows := placement.get(kind):
            hit = pl.int_range(pl.len()).is_in(rows)
            texts = texts.with_columns(
                pl.when(hit).then(spoiled).otherwise(pl.col(column)).alias(column)
            )
    return texts


def double_lines(texts: pl.DataFrame, placement: Placement) -> pl.DataFrame:
    """Let each line chosen for it be followed by its copy, identical or not."""
    rows = {row: kind for kind in DOUBLING for row in placement.get(kind, ())}
    if not rows:
        return texts
    numbered = texts.with_row_index("row").with_columns(copy=pl.lit(0))
    conflicting = pl.col("row").is_in(placement.get(Defect.CONFLICTING_DUPLICATE, []))
    one_more = (pl.col("shares").cast(pl.Int64) + 1).cast(pl.String)
    copies = numbered.filter(pl.col("row").is_in(list(rows))).with_columns(
        copy=pl.lit(1), shares=pl.when(conflicting).then(one_more).otherwise("shares")
    )
    return pl.concat([numbered, copies]).sort("row", "copy").drop("row", "copy")
