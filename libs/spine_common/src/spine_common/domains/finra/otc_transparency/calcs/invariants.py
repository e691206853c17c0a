"""Which promises derived numbers keep, each asked as a quality check."""

import polars as pl

from spine_common.core.quality import QualityCheck, check
from spine_common.domains.finra.otc_transparency.quantities import millionths, quantity

SHARES_TOLERANCE = 1e-9
_PARTITION = ("week_ending", "tier")


def sums_are_conserved(calc: str, rows: pl.DataFrame, derived: pl.DataFrame) -> QualityCheck:
    """Ask whether volume and trades of ``derived`` are those of the rows they sum up."""
    before, after = _sums(rows, "shares", "trades"), _sums(derived, "total_volume", "total_trades")
    return check(
        f"{calc}.sums_conserved",
        holds=before == after,
        expected=f"{before[0]} shares, {before[1]} trades",
        observed=f"{after[0]} shares, {after[1]} trades",
        detail="Shares or trades were lost or counted twice.",
    )


def nothing_is_negative(calc: str, derived: pl.DataFrame) -> QualityCheck:
    """Ask whether no number of ``derived`` is below zero."""
    numbers = derived.select(pl.selectors.numeric())
    below = numbers.select(pl.sum_horizontal((pl.all() < 0).sum())).item() if numbers.width else 0
    return check(
        f"{calc}.nothing_negative",
        holds=below == 0,
        expected=0,
        observed=below,
        detail="Volumes, counts and shares can't be below zero.",
    )


def one_row_each(calc: str, key: str, rows: pl.DataFrame, derived: pl.DataFrame) -> QualityCheck:
    """Ask whether each ``key`` of the rows, e.g. each symbol, has exactly one derived row."""
    grain = [*_PARTITION, key]
    expected = rows.select(grain).unique().sort(grain)
    return check(
        f"{calc}.one_row_by_{key}",
        holds=derived.select(grain).sort(grain).equals(expected),
        expected=f"{expected.height} rows",
        observed=f"{derived.height} rows",
        detail=f"A {key} has no row, or more than one.",
    )


def shares_sum_to_one(calc: str, derived: pl.DataFrame) -> QualityCheck:
    """Ask whether the shares of each week and tier sum to 1 ± 1e-9, or to 0 without volume."""
    sums = derived.group_by(_PARTITION).agg(
        pl.col("share").sort().sum(),
        whole=(pl.col("total_volume").sum() > 0).cast(pl.Float64),
    )
    off = sums.select((pl.col("share") - pl.col("whole")).abs().max()).item() or 0.0
    return check(
        f"{calc}.shares_sum_to_one",
        holds=off <= SHARES_TOLERANCE,
        expected=f"1 ± {SHARES_TOLERANCE}",
        observed=", ".join(str(share) for share in sums["share"]) or "no rows",
        detail="The shares of a week and tier don't sum to one.",
    )


def ranks_are_gapless(calc: str, derived: pl.DataFrame) -> QualityCheck:
    """Ask whether the ranks of each week and tier are 1..N, in the order of the volumes."""
    ranked = derived.sort(*_PARTITION, "rank")
    number = pl.int_range(1, pl.len() + 1).over(_PARTITION)
    volume = millionths(pl.col("total_volume"))
    rising = (volume.diff() > 0).over(_PARTITION)
    wrong = ranked.select(((pl.col("rank") != number) | rising.fill_null(value=False)).sum()).item()
    return check(
        f"{calc}.ranks_gapless",
        holds=wrong == 0,
        expected="1..N by volume",
        observed=f"{wrong} of {derived.height} out of place",
        detail="A rank is missing, given twice, or not in the order of the volumes.",
    )


def _sums(frame: pl.DataFrame, volume: str, trades: str) -> tuple[object, object]:
    exact = quantity(millionths(pl.col(volume)).sum())
    return frame.select(exact, pl.col(trades).sum().alias("trades")).row(0)
