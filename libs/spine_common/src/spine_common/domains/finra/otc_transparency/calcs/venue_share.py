"""What part of a week's off-exchange volume each venue has."""

from collections.abc import Iterator

import polars as pl

from spine_common.core.calc import Calc
from spine_common.core.dataset import Column, ColumnType, Dataset
from spine_common.core.quality import QualityCheck
from spine_common.domains.finra.otc_transparency.calcs.invariants import (
    nothing_is_negative,
    one_row_each,
    ranks_are_gapless,
    shares_sum_to_one,
    sums_are_conserved,
)
from spine_common.domains.finra.otc_transparency.quantities import millionths, quantity, ratio
from spine_common.domains.finra.otc_transparency.schema import TIER, VENUE, WEEK_ENDING

VENUE_SHARE = Dataset(
    name="venue_share",
    table="otc_venue_share",
    description="Volume, share and rank of each venue in a week and tier.",
    columns=(
        WEEK_ENDING,
        TIER,
        VENUE,
        Column("total_volume", ColumnType.QUANTITY, "Shares traded on the venue", "shares"),
        Column("total_trades", ColumnType.INTEGER, "Trades done on the venue", "trades"),
        Column("symbol_count", ColumnType.INTEGER, "Different symbols it traded", "symbols"),
        Column("share", ColumnType.RATIO, "Part of the tier's volume, 0 to 1; 0 if that is 0"),
        Column("rank", ColumnType.INTEGER, "1 for the largest volume; ties by venue code"),
    ),
    key=("venue",),
    business_date="week_ending",
)
_PARTITION = ("week_ending", "tier")


def venue_share(rows: pl.DataFrame) -> pl.DataFrame:
    """Sum ``VENUE_VOLUME`` rows up by venue, and rank the venues of each week and tier."""
    volume = pl.col("volume")
    ranked = (
        rows.group_by(*_PARTITION, "venue")
        .agg(
            millionths(pl.col("shares")).sum().alias("volume"),
            pl.col("trades").sum().alias("total_trades"),
            pl.col("symbol").n_unique().alias("symbol_count"),
        )
        .sort(*_PARTITION, "volume", "venue", descending=[False, False, True, False])
        .with_columns(
            total_volume=quantity(volume),
            share=ratio(volume, volume.sum().over(_PARTITION)),
            rank=pl.int_range(1, pl.len() + 1).over(_PARTITION),
        )
    )
    return VENUE_SHARE.conform(ranked).sort(*_PARTITION, "venue")


def checks(rows: pl.DataFrame, derived: pl.DataFrame) -> Iterator[QualityCheck]:
    """Ask whether the shares are parts of one whole and the ranks an order."""
    yield shares_sum_to_one("venue_share_v1", derived)
    yield ranks_are_gapless("venue_share_v1", derived)
    yield sums_are_conserved("venue_share_v1", rows, derived)
    yield one_row_each("venue_share_v1", "venue", rows, derived)
    yield nothing_is_negative("venue_share_v1", derived)


VENUE_SHARE_V1 = Calc(
    name="venue_share",
    version=1,
    dataset=VENUE_SHARE,
    compute=venue_share,
    checks=checks,
    description="Volume, trades, symbols, share and rank of each venue.",
)
