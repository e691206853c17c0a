"""How much of each symbol was traded off-exchange in a week, and on how many venues."""

from collections.abc import Iterator

import polars as pl

from spine_common.core.calc import Calc
from spine_common.core.dataset import Column, ColumnType, Dataset
from spine_common.core.quality import QualityCheck
from spine_common.domains.finra.otc_transparency.calcs.invariants import (
    nothing_is_negative,
    one_row_each,
    sums_are_conserved,
)
from spine_common.domains.finra.otc_transparency.quantities import mean_size, millionths, quantity
from spine_common.domains.finra.otc_transparency.schema import SYMBOL, TIER, WEEK_ENDING

SYMBOL_SUMMARY = Dataset(
    name="symbol_summary",
    table="otc_symbol_summary",
    description="Volume, trades and venues of each symbol in a week and tier.",
    columns=(
        WEEK_ENDING,
        TIER,
        SYMBOL,
        Column("total_volume", ColumnType.QUANTITY, "Shares traded on all venues", "shares"),
        Column("total_trades", ColumnType.INTEGER, "Trades done on all venues", "trades"),
        Column("venue_count", ColumnType.INTEGER, "Different venues that traded it", "venues"),
        Column(
            "avg_trade_size",
            ColumnType.QUANTITY,
            "Volume by trade, half-even; null without trades",
            "shares",
            nullable=True,
        ),
        Column(
            "source_updated_on",
            ColumnType.DATE,
            "Latest day FINRA changed a row of the symbol",
            nullable=True,
        ),
    ),
    key=("symbol",),
    business_date="week_ending",
)


def symbol_summary(rows: pl.DataFrame) -> pl.DataFrame:
    """Sum ``VENUE_VOLUME`` rows up by symbol."""
    volume = millionths(pl.col("shares")).sum()
    summed = rows.group_by("week_ending", "tier", "symbol").agg(
        volume.alias("volume"),
        pl.col("trades").sum().alias("total_trades"),
        pl.col("venue").n_unique().alias("venue_count"),
        pl.col("source_updated_on").max(),
    )
    derived = summed.with_columns(
        total_volume=quantity(pl.col("volume")),
        avg_trade_size=mean_size(pl.col("volume"), pl.col("total_trades")),
    )
    return SYMBOL_SUMMARY.conform(derived).sort("week_ending", "tier", "symbol")


def checks(rows: pl.DataFrame, derived: pl.DataFrame) -> Iterator[QualityCheck]:
    """Ask whether every share and symbol of ``rows`` is in ``derived``, once."""
    yield sums_are_conserved("symbol_summary_v1", rows, derived)
    yield one_row_each("symbol_summary_v1", "symbol", rows, derived)
    yield nothing_is_negative("symbol_summary_v1", derived)


SYMBOL_SUMMARY_V1 = Calc(
    name="symbol_summary",
    version=1,
    dataset=SYMBOL_SUMMARY,
    compute=symbol_summary,
    checks=checks,
    description="Volume, trades, venues and mean trade size of each symbol.",
)
