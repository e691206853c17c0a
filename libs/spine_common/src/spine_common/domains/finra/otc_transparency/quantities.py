"""How quantities stay exact: whole millionths in 128 bits, rounded half-even where one must."""

from decimal import Decimal

import polars as pl

from spine_common.core.dataset import POLARS_TYPES, ColumnType

RATIO_PLACES = 12
_QUANTITY = POLARS_TYPES[ColumnType.QUANTITY]
_MILLIONTH = Decimal("0.000001")


def millionths(quantity: pl.Expr) -> pl.Expr:
    """Return a quantity as a whole number of millionths."""
    return quantity.to_physical().cast(pl.Int128)


def quantity(millionths: pl.Expr) -> pl.Expr:
    """Return whole millionths as a quantity."""
    return (millionths.cast(pl.Decimal(38, 0)) * _MILLIONTH).cast(_QUANTITY)


def mean_size(shares: pl.Expr, trades: pl.Expr) -> pl.Expr:
    """Return shares (in millionths) by trade as a quantity, half-even; null without trades."""
    count = pl.when(trades > 0).then(trades.cast(pl.Int128))
    whole, twice_rest = shares // count, shares % count * 2
    up = (twice_rest > count) | ((twice_rest == count) & (whole % 2 == 1))
    return quantity(whole + up.cast(pl.Int128))


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """Return a part of a whole as a ratio: 0 if the whole is 0.

    Both are exact sums, so one division and one rounding give the same answer in any row order.
    """
    divided = (part.cast(pl.Float64) / whole.cast(pl.Float64)).round(RATIO_PLACES)
    return pl.when(whole != 0).then(divided).otherwise(pl.lit(0.0))
