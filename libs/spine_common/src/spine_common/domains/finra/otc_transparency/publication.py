"""When FINRA publishes a week, and, the other way round, which week a publication day means."""

from datetime import date, timedelta
from functools import cache

from holidays import financial_holidays

from spine_common.domains.finra.otc_transparency.partition import (
    PLAUSIBLE_YEARS,
    Tier,
    friday_of,
)

_FRIDAY = 4
LAG = {
    Tier.NMS_TIER_1: timedelta(days=21),
    Tier.NMS_TIER_2: timedelta(days=35),
    Tier.OTC: timedelta(days=35),
}
"""From the Monday a trading week starts on to the Monday it is first published on."""


def week_start(week_ending: date) -> date:
    """Return the Monday of the week that ends on that Friday."""
    return week_ending - timedelta(days=4)


def first_publication(week_ending: date, tier: Tier) -> date:
    """Return the day a week is first published: a Monday, or the next day the exchange is open."""
    return _open_on_or_after(week_start(week_ending) + LAG[tier])


def week_published_on(day: date, tier: Tier) -> date | None:
    """Return the Friday of the week first published on ``day``; None if ``day`` can't be one."""
    if day.year not in PLAUSIBLE_YEARS:
        return None
    monday = day - timedelta(days=day.weekday())
    return friday_of(monday - LAG[tier]) if _open_on_or_after(monday) == day else None


def _open_on_or_after(day: date) -> date:
    while day.weekday() > _FRIDAY or day in _closures(day.year):
        day += timedelta(days=1)
    return day


@cache
def _closures(year: int) -> frozenset[date]:
    """Return the days of a year the New York Stock Exchange is closed, weekends aside."""
    return frozenset(financial_holidays("NYSE", years=year))
