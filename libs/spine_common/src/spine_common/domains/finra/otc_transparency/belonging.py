"""Which week and tier a file belongs to: what it says, what its name says, what was asked for."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from spine_common.core.errors import (
    InvalidDate,
    InvalidTier,
    PartitionAmbiguous,
    PartitionContradicted,
    SourceFormat,
)
from spine_common.core.partition import Partition
from spine_common.domains.finra.otc_transparency.formats import SUMMARY_TYPES, Layout
from spine_common.domains.finra.otc_transparency.partition import (
    TIERS,
    WEEK_TIER,
    Tier,
    date_or_none,
    parse_week_ending,
)
from spine_common.domains.finra.otc_transparency.publication import week_published_on

_DATE_IN_NAME = re.compile(r"_([0-9]{4})([0-9]{2})([0-9]{2})(?:\.[A-Za-z]+){0,2}$")
_LISTED = 5
_SPLIT_IT = "A file holds one week of one tier; split it and ingest each part."


@dataclass(frozen=True, slots=True)
class Belonging:
    """The partition of a file, and the latest day FINRA says it changed a row of it."""

    partition: Partition
    source_updated_on: date | None


@dataclass(frozen=True, slots=True)
class _Witness:
    """The first line that says a value."""

    value: str
    line: int


def find_partition(
    name: str, layout: Layout, rows: pl.DataFrame, known: Mapping[str, Any]
) -> Belonging:
    """Return the partition of the file ``name`` from its cut ``rows`` and what is known of it.

    Only rows with the right number of columns testify, and of those only what can be read: a
    garbled tier or week is that row's own fault. A second readable tier or week is the file's.
    """
    rows = _testifying(name, layout, rows)
    tier = _settle(name, "tier", _witnesses(rows, "row_tier"), known)
    if tier is None:
        raise _no_tier(name, layout, rows)
    updates: list[date] = rows["row_source_updated_on"].unique().drop_nulls().sort().to_list()
    if "week" in layout.positions:
        week = _settle(name, "week_ending", _witnesses(rows, "row_week"), known)
        if week is None:
            raise _no_week(name, layout, rows)
    else:
        week = known.get("week_ending") or _derive_week(name, updates, Tier(tier)).isoformat()
    partition = WEEK_TIER.of({"week_ending": week, "tier": tier})
    return Belonging(partition, updates[-1] if updates else None)


def _testifying(name: str, layout: Layout, rows: pl.DataFrame) -> pl.DataFrame:
    whole = rows.filter(pl.col("width") == layout.width)
    if whole.is_empty():
        raise SourceFormat(
            f"No line of {name} has the {layout.width} columns of its header.",
            remedy="The file is damaged or no weekly file; fetch it again.",
        )
    # Rows of other summaries are all rejected, so what they say of week and tier is no matter.
    taken = whole.filter(pl.col("summary_code").is_in(list(SUMMARY_TYPES)))
    return whole if taken.is_empty() else taken


def _witnesses(rows: pl.DataFrame, column: str) -> list[_Witness]:
    first = rows.drop_nulls(column).group_by(column).agg(pl.col("line").min()).sort("line")
    return [_Witness(str(value), line) for value, line in first.iter_rows()]


def _settle(
    name: str, field: str, witnesses: list[_Witness], known: Mapping[str, Any]
) -> str | None:
    """Return the one value the witnesses agree on, or None if there is no witness."""
    asked = known.get(field)
    other = next((witness for witness in witnesses if witness.value != asked), None)
    if asked and other:
        raise PartitionContradicted(
            f"{name} is not of {field} {asked}: line {other.line} says {other.value}.",
            remedy=f"Ask for {field} {other.value}."
            if len(witnesses) == 1
            else f"The file is of several: {_listed(witnesses)}. {_SPLIT_IT}",
            field=field,
            asked=asked,
            found=other.value,
            line=other.line,
        )
    if len(witnesses) > 1:
        raise PartitionAmbiguous(
            f"{name} has more than one {field}: {_listed(witnesses)}.",
            remedy=_SPLIT_IT,
            field=field,
        )
    return witnesses[0].value if witnesses else None


def _listed(witnesses: list[_Witness]) -> str:
    some = ", ".join(f"{witness.value} (line {witness.line})" for witness in witnesses[:_LISTED])
    left_out = len(witnesses) - _LISTED
    return f"{some} and {left_out} more" if left_out > 0 else some


def _no_tier(name: str, layout: Layout, rows: pl.DataFrame) -> InvalidTier:
    column, says = layout.format.columns["tier"], rows["tier"][0]
    return InvalidTier(
        f"No line of {name} has a tier we know: {column} of line {rows['line'][0]} is {says!r}.",
        remedy=f"FINRA publishes three: {', '.join(TIERS)}.",
        field="tier",
    )


def _no_week(name: str, layout: Layout, rows: pl.DataFrame) -> InvalidDate:
    column, says, line = layout.format.columns["week"], rows["week"][0], rows["line"][0]
    weekday = "Monday" if layout.format.days_to_friday else "Friday"
    remedy = f"It is a {weekday}, as YYYY-MM-DD."
    if weekday == "Friday":
        try:
            parse_week_ending(says)
        except InvalidDate as error:
            remedy = error.remedy
    return InvalidDate(
        f"No line of {name} says which week it is of: {column} of line {line} is {says!r}.",
        remedy=remedy,
        field="week_ending",
    )


def _derive_week(name: str, updates: Iterable[date], tier: Tier) -> date:
    """Return the Friday of the week whose publication day the file bears."""
    days = sorted({*updates, *_date_in(name)})
    if not days:
        raise _ambiguous(name, "neither its lines nor its name bear a date")
    if len(days) > 1:
        named = ", ".join(str(day) for day in (*days[:3], days[-1])[: len(days)])
        raise _ambiguous(name, f"it bears {len(days)} dates ({named}), as restated files do")
    week = week_published_on(days[0], tier)
    if week is None:
        raise _ambiguous(
            name, f"no week of {tier} is first published on {days[0]}, the date it bears"
        )
    return week


def _date_in(name: str) -> list[date]:
    match = _DATE_IN_NAME.search(name)
    day = date_or_none("-".join(match.groups())) if match else None
    return [day] if day else []


def _ambiguous(name: str, why: str) -> PartitionAmbiguous:
    return PartitionAmbiguous(
        f"{name} does not say which week it is of: {why}.",
        remedy="Give week_ending, the Friday of the trading week.",
        field="week_ending",
    )
