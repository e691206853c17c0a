"""Made-up weeks in the shapes FINRA publishes, for tests, demos and benchmarks."""

from spine_common.testing.synthetic.defects import Defect
from spine_common.testing.synthetic.publication import file_name, published_on, week_start
from spine_common.testing.synthetic.render import frame, render, write
from spine_common.testing.synthetic.tiers import NMS_TIER_1, NMS_TIER_2, OTC, TIERS
from spine_common.testing.synthetic.week import Format, Week, restated, withdrawn

__all__ = [
    "NMS_TIER_1",
    "NMS_TIER_2",
    "OTC",
    "TIERS",
    "Defect",
    "Format",
    "Week",
    "file_name",
    "frame",
    "published_on",
    "render",
    "restated",
    "week_start",
    "withdrawn",
    "write",
]
