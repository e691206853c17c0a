"""What becomes of rows that stand in a file more than once: one is kept, or none."""

import polars as pl

from spine_common.domains.finra.otc_transparency.rules import Reason

IDENTITY = ("summary_type", "symbol", "venue", "mpid", "firm_crd", "product_type", "issue_name")
"""What tells a row from another one of its week and tier."""
_MEASURES = ("shares", "trades")


def judge_duplicates(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the lines of typed ``rows`` that must go: ``line``, ``reason``, ``detail``.

    Later copies of a row go; if the copies differ in shares or trades they all go, the first one
    too, since keeping either could undo a correction.
    """
    repeated = rows.filter(rows.select(IDENTITY).is_duplicated())
    if repeated.is_empty():
        return pl.DataFrame(schema={"line": pl.Int64, "reason": pl.String, "detail": pl.String})
    conflicting = pl.struct(_MEASURES).n_unique().over(IDENTITY) > 1
    lines = pl.col("line").sort().cast(pl.String).head(5).implode().over(IDENTITY)
    judged = repeated.with_columns(
        conflicting=conflicting, first=pl.col("line").min().over(IDENTITY), lines=lines
    )
    return judged.filter(pl.col("conflicting") | (pl.col("line") != pl.col("first"))).select(
        "line",
        reason=pl.when("conflicting")
        .then(pl.lit(Reason.CONFLICTING_DUPLICATE.value))
        .otherwise(pl.lit(Reason.DUPLICATE_ROW.value)),
        detail=pl.when("conflicting")
        .then(
            pl.format(
                "Lines {} say different quantities for {} on {}; none of them is taken.",
                pl.col("lines").list.join(", "),
                "symbol",
                "venue",
            )
        )
        .otherwise(pl.format("Line {} says the same and is kept.", "first")),
    )
