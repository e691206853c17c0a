"""What identifies a made-up week: everything its bytes depend on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from spine_common.testing.synthetic.defects import Defect
from spine_common.testing.synthetic.tiers import TIERS

_FRIDAY = 4
_HEADER_LINE = 1


class Format(StrEnum):
    """The three shapes such a file comes in."""

    WEEKLY = "weekly"
    """The weekly download: pipes, no quotes, the week is not in it."""
    API = "api"
    """The query API's CSV: commas, quotes, every date it has."""
    SHORT = "short"
    """Six columns with pipes: WeekEnding, Tier, Symbol, MPID, TotalShares, TotalTrades."""


@dataclass(frozen=True, slots=True)
class Week:
    """One tier's week; two equal ones have equal bytes, on every machine.

    ``week_ending`` is a Friday, ``tier`` one of ``TIERS``. ``rows`` asks for exactly that many data
    rows (before defects add some), None for the tier's natural size. ``published`` overrides the
    calendar (a holiday), ``updated`` makes it a restatement. ``non_ats`` adds the firms that report
    without an MPID, in ``Format.API`` only. ``defects`` says how many lines have which defect.
    ``changed`` and ``removed`` are keyed by line number, the header being line 1.
    """

    week_ending: date
    tier: str
    seed: int = 1
    rows: int | None = None
    format: Format = Format.WEEKLY
    defects: Mapping[Defect, int] = field(default_factory=dict)
    published: date | None = None
    updated: date | None = None
    non_ats: bool = False
    changed: Mapping[int, int] = field(default_factory=dict)
    removed: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.week_ending.weekday() != _FRIDAY:
            raise ValueError(f"{self.week_ending} is no Friday: a trading week ends on one.")
        if self.tier not in TIERS:
            raise ValueError(f"{self.tier!r} is no tier: use one of {', '.join(TIERS)}.")
        if self.non_ats and self.format is not Format.API:
            raise ValueError("Rows without an MPID exist in Format.API only.")
        if self.rows is not None and self.rows < 1:
            raise ValueError("A week has at least one row.")


def restated(week: Week, line: int, shares: int, *, updated: date | None = None) -> Week:
    """Return the week with the volume of one line changed, as a later publication has it.

    ``line`` counts from the header, which is line 1; ``updated`` is the new ``lastUpdateDate``.
    """
    _check_line(line)
    return replace(week, changed={**week.changed, line: shares}, updated=updated or week.updated)


def withdrawn(week: Week, line: int, *, updated: date | None = None) -> Week:
    """Return the week without one line, as a later publication has it; arguments as above."""
    _check_line(line)
    return replace(week, removed=week.removed | {line}, updated=updated or week.updated)


def _check_line(line: int) -> None:
    if line <= _HEADER_LINE:
        raise ValueError(f"Line {line} holds no row: line 1 is the header.")
