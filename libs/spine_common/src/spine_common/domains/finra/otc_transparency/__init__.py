"""FINRA's OTC (ATS and Non-ATS) Transparency data: who traded how much off-exchange in a week.

FINRA publishes, for each week, tier of securities and venue, the shares and trades done outside
of the exchanges, and overwrites what it published when firms report late. We capture every
publication, so that "what is the best number" and "what did we know that day" both have an answer.

* A partition is one week (by its Friday) of one tier; see ``partition``.
* A week is published three weeks later for NMS Tier 1, five for the others; see ``publication``.
* A file comes in one of three formats, told by its header; see ``formats``.
* A row is the volume of one security on one venue; see ``schema``. What can't be used is rejected
  with a reason; see ``rules`` and ``duplicates``.
* What we compute from a week is in ``calcs``, what can be run in ``pipelines``.
"""

from spine_common.core.domain import Domain
from spine_common.domains.finra.otc_transparency.calcs import CALCS
from spine_common.domains.finra.otc_transparency.normalize import normalize
from spine_common.domains.finra.otc_transparency.parse import parse_weekly_file
from spine_common.domains.finra.otc_transparency.partition import DOMAIN, WEEK_TIER
from spine_common.domains.finra.otc_transparency.pipelines import PIPELINES
from spine_common.domains.finra.otc_transparency.schema import RAW, VENUE_VOLUME

__all__ = ["otc_transparency"]

otc_transparency = Domain(
    name=DOMAIN,
    description="Weekly off-exchange volume by security and venue, as FINRA publishes it.",
    partition=WEEK_TIER,
    raw=RAW,
    parse=parse_weekly_file,
    normalized=VENUE_VOLUME,
    normalize=normalize,
    calcs=CALCS,
    pipelines=PIPELINES,
)
