"""When FINRA publishes a week, and, the other way round, which week a publication day means."""

import warnings
from datetime import date, timedelta
from functools import cache

from spine_common.domains.finra.otc_transparency.partition import (
    PLAUSIBLE_YEARS,
    Tier,
    friday_of,
)

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
    while day not in _sessions(day.year):
        day += timedelta(days=1)
    return day


@cache
def _sessions(year: int) -> frozenset[date]:
    """Return the days of a year the New York Stock Exchange is open."""
    # Loading the calendars takes seconds, and only a file that does not name its week needs them.
    from exchange_calendars.exchange_calendar_xnys import (  # noqa: PLC0415 - see above
        XNYSExchangeCalendar,
    )

    with warnings.catch_warnings():
        # The calendars lag behind the data-frame library they are built on.
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = XNYSExchangeCalendar(start=f"{year}-01-01", end=f"{year}-12-31")
    return frozenset(calendar.sessions.date)
