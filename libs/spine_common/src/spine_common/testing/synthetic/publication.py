"""When a week is published, and what its file is called."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spine_common.testing.synthetic.week import Week

NMS_TIER_1 = "NMS_TIER_1"
NMS_TIER_2 = "NMS_TIER_2"
OTC = "OTC"

_DAYS_TO_FRIDAY = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class TierNames:
    """How one tier is spelled where, and how many days after its Monday a week is published."""

    description: str
    identifier: str
    file: str
    lag: timedelta


TIERS: Mapping[str, TierNames] = {
    NMS_TIER_1: TierNames("NMS Tier 1", "T1", "tier1", timedelta(days=21)),
    NMS_TIER_2: TierNames("NMS Tier 2", "T2", "tier2", timedelta(days=35)),
    OTC: TierNames("OTC", "OTCE", "otc", timedelta(days=35)),
}


def week_start(week: "Week") -> date:
    """Return the Monday of the trading week."""
    return week.week_ending - _DAYS_TO_FRIDAY


def published_on(week: "Week") -> date:
    """Return the day of the first publication; market holidays are the caller's to say."""
    return week.published or week_start(week) + TIERS[week.tier].lag


def updated_on(week: "Week") -> date:
    """Return ``lastUpdateDate``: the first publication, or the restatement."""
    return week.updated or published_on(week)


def file_name(week: "Week") -> str:
    """Name the file as the download does: by tier and publication, not by the trading week."""
    return f"finra_otc_weekly_{TIERS[week.tier].file}_{updated_on(week):%Y%m%d}.csv"
