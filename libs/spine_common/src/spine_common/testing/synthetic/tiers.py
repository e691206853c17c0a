"""The three tiers: how each is spelled where, and how long after a week it is published."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

NMS_TIER_1 = "NMS_TIER_1"
NMS_TIER_2 = "NMS_TIER_2"
OTC = "OTC"


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
