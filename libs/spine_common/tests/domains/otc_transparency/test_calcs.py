"""What the calculations promise of their numbers, and that their checks notice a breach."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_common.domains.finra.otc_transparency.calcs import (
    CALCS,
    SYMBOL_CONCENTRATION_V1,
    SYMBOL_SUMMARY_V1,
    VENUE_SHARE_V1,
)
from spine_common.domains.finra.otc_transparency.calcs.symbol_concentration import (
    symbol_concentration,
)
from spine_common.domains.finra.otc_transparency.calcs.symbol_summary import symbol_summary
from spine_common.domains.finra.otc_transparency.calcs.venue_share import venue_share
from spine_common.domains.finra.otc_transparency.quantities import mean_size, millionths

FEW = settings(deadline=None, max_examples=30)
QUANTITIES = st.decimals(0, 999_999_999_999, places=6, allow_nan=False)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["A", "a", "B", "BRK.B"]),
        st.sampled_from(["V1", "V2", "V3", "CRD0/De Minimis Firms", "CRD7/FIRM"]),
        st.one_of(st.just(Decimal(0)), QUANTITIES),
    ),
    max_size=25,
)


def failing(calc, rows, derived):
    return {check.name for check in calc.checks(rows, derived) if check.failed}


@pytest.mark.parametrize("calc", CALCS, ids=lambda calc: calc.versioned_name)
@FEW
@given(rows=ROWS)
def test_the_invariants_hold_for_any_rows(build, calc, rows):
    frame = build.volumes(*rows)
    derived = calc.compute(frame)
    assert derived.schema == calc.dataset.schema
    assert failing(calc, frame, derived) == set()
    assert derived.equals(derived.sort(calc.dataset.key))


@pytest.mark.parametrize("calc", CALCS, ids=lambda calc: calc.versioned_name)
@FEW
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(build, calc, rows, order):
    shuffled = order.sample(rows, len(rows))
    assert calc.compute(build.volumes(*rows)).equals(calc.compute(build.volumes(*shuffled)))


def test_a_symbol_s_rows_are_summed_exactly(build):
    rows = build.volumes(("A", "V1", "0.1"), ("A", "V2", "0.2"), ("A", "V1", "1"), ("a", "V1", 7))
    first = symbol_summary(rows).row(0, named=True)
    assert first["symbol"] == "A"
    assert first["total_volume"] == Decimal("1.3")
    assert (first["total_trades"], first["venue_count"]) == (3, 2)
    assert first["avg_trade_size"] == Decimal("0.433333")


def test_a_symbol_without_trades_has_no_mean_size(build):
    rows = build.volumes(("A", "V1", 5), trades=0)
    assert symbol_summary(rows)["avg_trade_size"].to_list() == [None]


@FEW
@given(shares=QUANTITIES, trades=st.integers(1, 10**12))
def test_a_mean_size_is_rounded_half_even(build, shares, trades):
    frame = build.volumes(("A", "V1", shares), trades=trades)
    mean = frame.select(mean_size(millionths(pl.col("shares")), pl.col("trades"))).item()
    assert mean == (shares / trades).quantize(Decimal("0.000001"))


def test_venues_are_ranked_by_volume_and_ties_by_code(build):
    rows = build.volumes(("A", "VC", 5), ("B", "VB", 5), ("A", "VA", 1), ("A", "VD", 9))
    ranked = venue_share(rows).sort("rank")
    assert ranked["venue"].to_list() == ["VD", "VB", "VC", "VA"]
    assert ranked["share"].to_list() == [0.45, 0.25, 0.25, 0.05]


def test_shares_of_nothing_are_zero(build):
    shares = venue_share(build.volumes(("A", "V1", 0), ("A", "V2", 0)))
    assert shares["share"].to_list() == [0.0, 0.0]
    assert shares["rank"].to_list() == [1, 2]


def test_concentration_is_the_sum_of_squared_shares(build):
    rows = build.volumes(("A", "V1", 50), ("A", "V2", 30), ("A", "V3", 15), ("A", "V4", 5))
    assert symbol_concentration(rows).row(0, named=True) | {"week_ending": None} == {
        "week_ending": None,
        "tier": "OTC",
        "symbol": "A",
        "hhi": 0.365,
        "effective_venues": 2.739726027397,
        "top1_share": 0.5,
        "top3_share": 0.95,
        "hhi_lower": 0.365,
        "hhi_upper": 0.365,
    }


def test_merged_firms_leave_the_concentration_between_two_bounds(build):
    rows = build.volumes(("A", "CRD0/De Minimis Firms", 60), ("A", "CRD7/FIRM", 40))
    row = symbol_concentration(rows).row(0, named=True)
    assert (row["hhi_lower"], row["hhi"], row["hhi_upper"]) == (0.16, 0.52, 0.52)


def test_an_untraded_symbol_has_no_concentration(build):
    row = symbol_concentration(build.volumes(("A", "V1", 0))).row(0, named=True)
    assert (row["hhi"], row["top1_share"], row["effective_venues"]) == (0.0, 0.0, None)


@pytest.mark.parametrize(
    ("calc", "tamper", "check"),
    [
        (VENUE_SHARE_V1, pl.col("share") * 1.01, "shares_sum_to_one"),
        (VENUE_SHARE_V1, pl.col("rank") + 1, "ranks_gapless"),
        (VENUE_SHARE_V1, pl.col("rank").reverse(), "ranks_gapless"),
        (VENUE_SHARE_V1, pl.col("total_volume") * 2, "sums_conserved"),
        (VENUE_SHARE_V1, pl.col("total_trades") - 9, "nothing_negative"),
        (SYMBOL_SUMMARY_V1, pl.col("total_trades") + 1, "sums_conserved"),
        (SYMBOL_SUMMARY_V1, pl.lit("B").alias("symbol"), "one_row_by_symbol"),
        (SYMBOL_CONCENTRATION_V1, pl.col("hhi_lower") + 1, "within_bounds"),
    ],
)
def test_a_breach_is_noticed(build, calc, tamper, check):
    rows = build.volumes(("A", "V1", 5), ("B", "V2", 3))
    derived = calc.compute(rows).with_columns(tamper)
    assert f"{calc.versioned_name}.{check}" in failing(calc, rows, derived)
