"""What the demo has published: three weeks of three tiers, a few lines of them wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from spine_common.testing.synthetic import (
    NMS_TIER_1,
    NMS_TIER_2,
    OTC,
    Defect,
    Week,
    frame,
    published_on,
    restated,
    write,
)

_FRIDAYS = (date(2025, 11, 7), date(2025, 11, 14), date(2025, 11, 21))
_ROWS = {NMS_TIER_1: 18_000, NMS_TIER_2: 12_000, OTC: 4_000}
_DEFECTS = {
    NMS_TIER_1: {Defect.BLANK_SYMBOL: 3, Defect.TEXT_QUANTITY: 2, Defect.DECIMAL: 5},
    NMS_TIER_2: {Defect.NEGATIVE: 2, Defect.CONFLICTING_DUPLICATE: 1, Defect.EXTRA_FIELD: 1},
    OTC: {Defect.BLANK_SYMBOL: 4, Defect.INVALID_UTF8: 1},
}
_RESTATED_LINE = 40


@dataclass(frozen=True, slots=True)
class Publication:
    """A file as it was published, and the partition it is of."""

    week_ending: date
    tier: str
    path: Path
    remark: str = ""

    @property
    def label(self) -> str:
        """The file as a line of progress names it."""
        remark = f", {self.remark}" if self.remark else ""
        return f"{self.week_ending} {self.tier}{remark}"


@dataclass(frozen=True, slots=True)
class Publications:
    """What is published first, what comes later, and the line FINRA restates in between."""

    first: Sequence[Publication]
    later: Sequence[Publication]
    restated_line: int

    @property
    def files(self) -> frozenset[Path]:
        """The different files there are."""
        return frozenset(publication.path for publication in (*self.first, *self.later))


def publish(folder: Path) -> Publications:
    """Write every file into ``folder``; two runs write the same bytes."""
    folder.mkdir(parents=True)
    weeks = [
        Week(friday, tier, rows=rows, defects=_DEFECTS[tier] if friday == _FRIDAYS[-1] else {})
        for friday in _FRIDAYS
        for tier, rows in _ROWS.items()
    ]
    first = [Publication(week.week_ending, week.tier, write(week, folder)) for week in weeks]
    corrected = weeks[-1]
    shares = frame(corrected).filter(line=_RESTATED_LINE)["shares"].item()
    correction = restated(
        corrected,
        _RESTATED_LINE,
        shares * 3,
        updated=published_on(corrected) + timedelta(days=9),
    )
    later = [
        Publication(correction.week_ending, correction.tier, write(correction, folder), "restated"),
        Publication(first[0].week_ending, first[0].tier, first[0].path, "seen again"),
    ]
    return Publications(first, later, _RESTATED_LINE)
