"""The numbers of two weeks FINRA published, from its own files."""

from decimal import Decimal

import pytest

from spine_common.domains.finra.otc_transparency import otc_transparency

WEEKS = {
    "finra_otc_weekly_otc_20251215.csv": (
        "2025-11-14.OTC",
        (5_328, 3_111, 9, Decimal(1_335_995_901), 472_776),
        {"OTCN": 0.821884, "OTCX": 0.144232, "ARCA": 0.030691},
    ),
    "finra_otc_weekly_otc_20251222.csv": (
        "2025-11-21.OTC",
        (5_192, 2_985, 9, Decimal(943_802_893), 497_191),
        {"OTCN": 0.809065, "OTCX": 0.141796, "ARCA": 0.046454},
    ),
}


@pytest.mark.parametrize("name", WEEKS)
def test_a_real_week_gives_the_known_numbers(real_file, name):
    partition, totals, shares = WEEKS[name]
    raw = otc_transparency.parse(real_file(name), {})
    result = otc_transparency.normalize(raw)
    derived = {calc.name: calc.compute(result.accepted) for calc in otc_transparency.calcs}
    checks = [
        *result.checks,
        *(
            check
            for calc in otc_transparency.calcs
            for check in calc.checks(result.accepted, derived[calc.name])
        ),
    ]

    symbols, venues = derived["symbol_summary"], derived["venue_share"]
    assert raw.partition.slug == partition
    assert result.rejected.is_empty()
    assert totals == (
        result.accepted.height,
        symbols.height,
        venues.height,
        symbols["total_volume"].sum(),
        symbols["total_trades"].sum(),
    )
    found = {venue: round(share, 6) for venue, share in venues.select("venue", "share").iter_rows()}
    assert shares.items() <= found.items()
    assert derived["symbol_concentration"].height == symbols.height
    assert [check.name for check in checks if check.failed] == []
