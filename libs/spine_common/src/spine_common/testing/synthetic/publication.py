"""When a week is published, and what its file is called."""

from datetime import date, timedelta

from spine_common.testing.synthetic.tiers import TIERS
from spine_common.testing.synthetic.week import Week

_DAYS_TO_FRIDAY = timedelta(days=4)


def week_start(week: Week) -> date:
    """Return the Monday of the trading week."""
    return week.week_ending - _DAYS_TO_FRIDAY


def published_on(week: Week) -> date:
    """Return the day of the first publication; market holidays are the caller's to say."""
    return week.published or week_start(week) + TIERS[week.tier].lag


def updated_on(week: Week) -> date:
    """Return ``lastUpdateDate``: the first publication, or the restatement."""
    return week.updated or published_on(week)


def file_name(week: Week) -> str:
    """Name the file as the download does: by tier and publication, not by the trading week."""
    return f"finra_otc_weekly_{TIERS[week.tier].file}_{updated_on(week):%Y%m%d}.csv"
