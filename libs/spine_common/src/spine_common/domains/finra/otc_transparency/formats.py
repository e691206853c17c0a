"""Which of FINRA's three file formats a header announces, and where its columns are."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from spine_common.core.errors import SourceFormat

_OPTIONAL = frozenset({"initialPublishedDate", "lastReportedDate"})


@dataclass(frozen=True, slots=True)
class Format:
    """One way FINRA writes a week down.

    ``columns`` gives the source column of each of our fields; further columns may stand in the
    file and are left alone. In an unquoted format a bare ``"`` is data.
    """

    name: str
    delimiter: str
    quoted: bool
    columns: Mapping[str, str]
    days_to_friday: int = 0
    """From the day its week column names to the Friday the week ends on."""

    @property
    def required(self) -> tuple[str, ...]:
        """The source columns without which a row can't be read or told from another."""
        return tuple(column for column in self.columns.values() if column not in _OPTIONAL)

    def names_in(self, header: str, delimiter: str = "") -> list[str]:
        """Return the column names of a header written in this format, or with that delimiter."""
        delimiter = delimiter or self.delimiter
        if not self.quoted:
            return [name.strip() for name in header.split(delimiter)]
        try:
            return [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
        except csv.Error:
            return []


_SHARED = {
    "symbol": "issueSymbolIdentifier",
    "issue_name": "issueName",
    "mpid": "MPID",
    "venue_name": "marketParticipantName",
    "shares": "totalWeeklyShareQuantity",
    "trades": "totalWeeklyTradeCount",
    "source_updated_on": "lastUpdateDate",
}
WEEKLY_DOWNLOAD = Format(
    name="weekly_download",
    delimiter="|",
    quoted=False,
    columns=MappingProxyType({**_SHARED, "tier": "tierDescription"}),
)
"""The file from FINRA's download page. It does not say which week it is about."""

API_CSV = Format(
    name="api_csv",
    delimiter=",",
    quoted=True,
    columns=MappingProxyType(
        {
            **_SHARED,
            "tier": "tierIdentifier",
            "week": "weekStartDate",
            "firm_crd": "firmCRDNumber",
            "product_type": "productTypeCode",
            "summary_code": "summaryTypeCode",
            "published_on": "initialPublishedDate",
            "last_reported_on": "lastReportedDate",
        }
    ),
    days_to_friday=4,
)
"""What the Query API answers as text. Its ``weekStartDate`` is a Monday."""

SHORT_FORM = Format(
    name="short_form",
    delimiter="|",
    quoted=False,
    columns=MappingProxyType(
        {
            "week": "WeekEnding",
            "tier": "Tier",
            "symbol": "Symbol",
            "mpid": "MPID",
            "shares": "TotalShares",
            "trades": "TotalTrades",
        }
    ),
)
"""Six columns and no names. Its ``WeekEnding`` is a Friday."""

SUMMARY_TYPES = MappingProxyType({"ATS_W_SMBL_FIRM": "ATS", "OTC_W_SMBL_FIRM": "OTC"})
"""The summaries we take, a row for each symbol and firm. The others sum the same trades up again,
so mixing them would count a trade twice.
"""

FORMATS = (WEEKLY_DOWNLOAD, API_CSV, SHORT_FORM)
FIELDS = tuple(dict.fromkeys(field for format_ in FORMATS for field in format_.columns))
DATE_FIELDS = ("source_updated_on", "published_on", "last_reported_on")


@dataclass(frozen=True, slots=True)
class Layout:
    """A format as one file writes it: ``positions`` of the fields among ``width`` columns."""

    format: Format
    width: int
    positions: Mapping[str, int]


def read_header(header: str) -> Layout:
    """Recognise a header line; ``SourceFormat`` names the missing columns and the formats."""
    format_, names = max(
        ((format_, format_.names_in(header)) for format_ in FORMATS),
        key=lambda pair: _likeness(*pair),
    )
    found = set(names) & set(format_.required)
    missing = [column for column in format_.required if column not in found]
    if missing:
        _refuse_other_delimiters(header)
    if not found:
        # Not quoted: whatever file this is, its content is nobody's business but its owner's.
        raise _unrecognised(f"The first line, of {len(header)} characters, is none FINRA writes.")
    if missing:
        raise _unrecognised(
            f"The header looks like {format_.name} but lacks {', '.join(missing)}.",
            missing=missing,
        )
    if repeated := sorted({name for name in names if name and names.count(name) > 1}):
        raise _unrecognised(f"The header names {', '.join(repeated)} twice.")
    positions = {
        field: names.index(column) for field, column in format_.columns.items() if column in names
    }
    return Layout(format_, len(names), positions)


def _refuse_other_delimiters(header: str) -> None:
    for format_ in FORMATS:
        for delimiter in set("|,;\t") - {format_.delimiter}:
            if set(format_.required) <= set(format_.names_in(header, delimiter)):
                raise _unrecognised(
                    f"The columns are those of {format_.name}, which is delimited by"
                    f" {format_.delimiter!r}, not by {delimiter!r}."
                )


def _likeness(format_: Format, names: list[str]) -> float:
    return len(set(names) & set(format_.required)) / len(format_.required)


def _unrecognised(message: str, **details: Any) -> SourceFormat:
    known = "; ".join(
        f"{format_.name} (delimiter {format_.delimiter!r}): {', '.join(format_.required)}"
        for format_ in FORMATS
    )
    return SourceFormat(message, remedy=f"The formats known are {known}.", **details)
