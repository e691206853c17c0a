"""How far a symbol's off-exchange volume is concentrated on few venues."""

from collections.abc import Iterator

import polars as pl

from spine_common.core.calc import Calc
from spine_common.core.dataset import Column, ColumnType, Dataset
from spine_common.core.quality import QualityCheck, check
from spine_common.domains.finra.otc_transparency.calcs.invariants import (
    nothing_is_negative,
    one_row_each,
)
from spine_common.domains.finra.otc_transparency.quantities import (
    RATIO_PLACES,
    millionths,
    ratio,
)
from spine_common.domains.finra.otc_transparency.schema import SYMBOL, TIER, WEEK_ENDING

DE_MINIMIS_CRD = "0"
"""The number under which FINRA merges the small firms of a symbol into one row."""

_BOUND = "HHI if the De Minimis firms were"
SYMBOL_CONCENTRATION = Dataset(
    name="symbol_concentration",
    table="otc_symbol_concentration",
    description="Herfindahl-Hirschman index and top shares of each symbol over its venues.",
    columns=(
        WEEK_ENDING,
        TIER,
        SYMBOL,
        Column("hhi", ColumnType.RATIO, "Sum of the squared shares of the venues, 0 to 1"),
        Column(
            "effective_venues",
            ColumnType.RATIO,
            "1 / HHI: how many venues of one size would be as concentrated; null without volume",
            "venues",
            nullable=True,
        ),
        Column("top1_share", ColumnType.RATIO, "Share of the largest venue"),
        Column("top3_share", ColumnType.RATIO, "Share of the three largest venues"),
        Column("hhi_lower", ColumnType.RATIO, f"{_BOUND} countless and each had next to nothing"),
        Column("hhi_upper", ColumnType.RATIO, f"{_BOUND} one single firm"),
    ),
    key=("symbol",),
    business_date="week_ending",
)
_GRAIN = ("week_ending", "tier", "symbol")


def symbol_concentration(rows: pl.DataFrame) -> pl.DataFrame:
    """Measure the concentration of ``VENUE_VOLUME`` rows by symbol; all 0 without volume.

    FINRA merges small non-ATS firms into "De Minimis Firms", so the true index lies between the
    bounds: their mass spread over countless firms adds nothing to a sum of squares, in one hand
    it adds the most. ``hhi`` counts them as one venue, as the file does, and equals the upper
    bound; where no firm is merged all three are equal.
    """
    volume, merged = pl.col("volume"), pl.col("merged")
    # Squares of millionths are summed as whole numbers of 128 bits: exact, whatever the order.
    square = volume * volume
    by_symbol = (
        rows.group_by(*_GRAIN, "venue")
        .agg(
            millionths(pl.col("shares")).sum().alias("volume"),
            (pl.col("mpid").is_null() & pl.col("firm_crd").eq_missing(DE_MINIMIS_CRD))
            .any()
            .alias("merged"),
        )
        .group_by(_GRAIN)
        .agg(
            volume.sum().alias("total"),
            square.sum().alias("squares"),
            square.filter(~merged).sum().alias("unmerged_squares"),
            volume.max().alias("top1"),
            volume.top_k(3).sum().alias("top3"),
        )
    )
    return SYMBOL_CONCENTRATION.conform(_ratios(by_symbol)).sort(_GRAIN)


def _ratios(by_symbol: pl.DataFrame) -> pl.DataFrame:
    total, squares = pl.col("total"), pl.col("squares")
    square_of_total = total.cast(pl.Float64) ** 2
    effective = (square_of_total / squares.cast(pl.Float64)).round(RATIO_PLACES)
    return by_symbol.with_columns(
        hhi=ratio(squares, square_of_total),
        effective_venues=pl.when(total > 0).then(effective),
        top1_share=ratio(pl.col("top1"), total),
        top3_share=ratio(pl.col("top3"), total),
        hhi_lower=ratio(pl.col("unmerged_squares"), square_of_total),
        hhi_upper=ratio(squares, square_of_total),
    )


def checks(rows: pl.DataFrame, derived: pl.DataFrame) -> Iterator[QualityCheck]:
    """Ask whether the indices lie between their bounds and every symbol has one."""
    bounded = (
        pl.col("hhi").is_between("hhi_lower", "hhi_upper")
        & pl.col("hhi_upper").is_between(0, 1)
        & pl.col("top1_share").is_between(0, pl.col("top3_share"))
        & pl.col("top3_share").is_between(0, 1)
    )
    outside = derived.select((~bounded).sum()).item()
    yield check(
        "symbol_concentration_v1.within_bounds",
        holds=outside == 0,
        expected="0 ≤ lower ≤ hhi ≤ upper ≤ 1, top1 ≤ top3 ≤ 1",
        observed=f"{outside} of {derived.height} symbols outside",
        detail="A concentration can't be outside of its bounds.",
    )
    yield one_row_each("symbol_concentration_v1", "symbol", rows, derived)
    yield nothing_is_negative("symbol_concentration_v1", derived)


SYMBOL_CONCENTRATION_V1 = Calc(
    name="symbol_concentration",
    version=1,
    dataset=SYMBOL_CONCENTRATION,
    compute=symbol_concentration,
    checks=checks,
    description="HHI with bounds, effective venues and top shares of each symbol.",
)
