"""Which week and tier is meant: the spellings people use and the one we keep."""

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from spine_common.core.errors import InvalidDate, InvalidTier
from spine_common.core.partition import PartitionKey, PartitionKind

DOMAIN = "finra.otc_transparency"


class Tier(StrEnum):
    """The three groups of securities FINRA publishes apart, each on its own day."""

    NMS_TIER_1 = "NMS_TIER_1"
    """S&P 500, Russell 1000 and some exchange-traded products."""
    NMS_TIER_2 = "NMS_TIER_2"
    """Every other NMS stock."""
    OTC = "OTC"
    """Equities listed on no exchange."""


TIERS = tuple(tier.value for tier in Tier)

_SPELLINGS = {
    "t1": Tier.NMS_TIER_1,
    "tier1": Tier.NMS_TIER_1,
    "nmst1": Tier.NMS_TIER_1,
    "nmstier1": Tier.NMS_TIER_1,
    "t2": Tier.NMS_TIER_2,
    "tier2": Tier.NMS_TIER_2,
    "nmst2": Tier.NMS_TIER_2,
    "nmstier2": Tier.NMS_TIER_2,
    "otc": Tier.OTC,
    "otce": Tier.OTC,
    "otcequity": Tier.OTC,
    "otcequities": Tier.OTC,
}
_FRIDAY = 4
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
PLAUSIBLE_YEARS = range(2000, 2100)


def tier_or_none(value: object) -> Tier | None:
    """Return the tier a text spells, whatever its case and spacing; None if it spells none."""
    return _SPELLINGS.get(re.sub(r"[\s_-]+", "", str(value)).lower())


def parse_tier(value: object) -> str:
    """Return the canonical tier, e.g. ``NMS_TIER_1`` for ``t1``; ``InvalidTier`` lists the three.

    An unknown tier never falls back to another one.
    """
    tier = tier_or_none(value)
    if tier is None:
        raise InvalidTier(
            f"tier can't be {str(value)[:80]!r}.",
            remedy=f"FINRA publishes three: {', '.join(TIERS)}.",
            field="tier",
        )
    return tier.value


def date_or_none(value: object) -> date | None:
    """Return the day an ISO text (YYYY-MM-DD) names; None if it names none we could mean."""
    if not _ISO_DATE.fullmatch(str(value)):
        return None
    try:
        day = date.fromisoformat(str(value))
    except ValueError:
        return None
    return day if day.year in PLAUSIBLE_YEARS else None


def friday_of(day: date) -> date:
    """Return the Friday of the calendar week (Monday to Sunday) that ``day`` lies in."""
    return day + timedelta(days=_FRIDAY - day.weekday())


def parse_week_ending(value: Any) -> str:
    """Return the trading week's Friday in ISO form; ``InvalidDate`` names the Friday meant."""
    text = str(value).strip()
    day = date_or_none(text)
    if day is None:
        raise InvalidDate(
            f"week_ending can't be {text[:80]!r}.",
            remedy="It is the Friday of a trading week, as YYYY-MM-DD.",
            field="week_ending",
        )
    if day != friday_of(day):
        raise InvalidDate(
            f"week_ending can't be {text}, a {day:%A}: a trading week ends on its Friday.",
            remedy=f"The Friday of that week is {friday_of(day)}.",
            field="week_ending",
        )
    return text


WEEK_TIER = PartitionKind(
    domain=DOMAIN,
    fields=(
        PartitionKey("week_ending", parse_week_ending, "the Friday of the trading week"),
        PartitionKey("tier", parse_tier, f"one of {', '.join(TIERS)}"),
    ),
)
