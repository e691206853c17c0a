"""When a week is published, and which week a publication day means."""

from datetime import date

import pytest

from spine_common.domains.finra.otc_transparency.partition import Tier
from spine_common.domains.finra.otc_transparency.publication import (
    first_publication,
    week_published_on,
)


def test_tier_1_is_published_after_three_weeks_and_the_others_after_five():
    week = date(2019, 11, 15)
    assert first_publication(week, Tier.NMS_TIER_1) == date(2019, 12, 2)
    assert first_publication(week, Tier.NMS_TIER_2) == date(2019, 12, 16)
    assert first_publication(week, Tier.OTC) == date(2019, 12, 16)


@pytest.mark.parametrize(
    "tuesday",
    [
        "2023-05-30",
        "2023-06-20",
        "2023-09-05",
        "2024-01-02",
        "2026-01-20",
        "2026-02-17",
        "2026-09-08",
    ],
)
@pytest.mark.parametrize("tier", Tier)
def test_a_publication_slips_from_a_holiday_monday_to_the_tuesday_and_back(tuesday, tier):
    day = date.fromisoformat(tuesday)
    week = week_published_on(day, tier)
    assert week is not None
    assert week.weekday() == 4
    assert first_publication(week, tier) == day


@pytest.mark.parametrize(
    "day", ["2026-01-19", "2026-01-21", "2022-07-29", "2025-12-14", "1999-01-04"]
)
def test_a_day_nothing_is_first_published_on_means_no_week(day):
    assert week_published_on(date.fromisoformat(day), Tier.OTC) is None
