"""Which spellings of a week and a tier are taken, and what is said of the others."""

from datetime import date

import pytest

from spine_common.core.errors import InvalidDate, InvalidTier, MissingRequired
from spine_common.domains.finra.otc_transparency.partition import (
    WEEK_TIER,
    parse_tier,
    parse_week_ending,
)


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("T1", "NMS_TIER_1"),
        ("tier1", "NMS_TIER_1"),
        (" nms  tier 1 ", "NMS_TIER_1"),
        ("NMS_TIER_1", "NMS_TIER_1"),
        ("NMS Tier 2", "NMS_TIER_2"),
        ("t2", "NMS_TIER_2"),
        ("otc", "OTC"),
        ("OTCE", "OTC"),
    ],
)
def test_a_tier_is_known_by_all_of_its_names(spelled, meant):
    assert parse_tier(spelled) == meant


@pytest.mark.parametrize("spelled", ["T3", "", "NMS", "OTCX", "1", None])
def test_another_tier_is_an_error_that_lists_the_three(spelled):
    with pytest.raises(InvalidTier, match="NMS_TIER_1, NMS_TIER_2, OTC"):
        parse_tier(spelled)


@pytest.mark.parametrize(
    ("given", "friday"),
    [
        ("2025-11-10", "2025-11-14"),
        ("2025-11-13", "2025-11-14"),
        ("2025-11-15", "2025-11-14"),
        ("2025-11-16", "2025-11-14"),
        ("2024-12-30", "2025-01-03"),
    ],
)
def test_a_week_that_does_not_end_on_friday_is_told_the_friday_meant(given, friday):
    with pytest.raises(InvalidDate) as raised:
        parse_week_ending(given)
    assert f"{date.fromisoformat(given):%A}" in raised.value.message
    assert raised.value.message.startswith(f"week_ending can't be {given}")
    assert friday in raised.value.remedy


@pytest.mark.parametrize(
    "given", ["", "soon", "14/11/2025", "20251114", "2025-11-31", "0001-01-05"]
)
def test_what_is_no_date_is_an_error_that_names_field_and_value(given):
    with pytest.raises(InvalidDate, match="week_ending can't be") as raised:
        parse_week_ending(given)
    assert repr(given) in raised.value.message


def test_a_partition_is_read_back_from_its_key():
    partition = WEEK_TIER.of({"week_ending": date(2025, 11, 14), "tier": "otce"})
    assert partition.key == "week_ending=2025-11-14/tier=OTC"
    assert WEEK_TIER.from_key(partition.key) == partition
    assert partition.slug == "2025-11-14.OTC"


def test_a_partition_with_an_open_field_is_none_or_an_error_naming_it():
    assert WEEK_TIER.of_or_none({"tier": "OTC", "force": True}) is None
    with pytest.raises(MissingRequired, match="week_ending is required"):
        WEEK_TIER.of({"tier": "OTC"})
