"""What we compute from a week: each calculation with its versions, oldest first."""

from spine_common.core.calc import Calc
from spine_common.domains.finra.otc_transparency.calcs.symbol_concentration import (
    SYMBOL_CONCENTRATION_V1,
)
from spine_common.domains.finra.otc_transparency.calcs.symbol_summary import SYMBOL_SUMMARY_V1
from spine_common.domains.finra.otc_transparency.calcs.venue_share import VENUE_SHARE_V1

CALCS: tuple[Calc, ...] = (SYMBOL_SUMMARY_V1, VENUE_SHARE_V1, SYMBOL_CONCENTRATION_V1)
