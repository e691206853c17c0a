"""Why a source line can't be used: each rule with its reason, column and sentence."""

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from spine_common.core.partition import Partition
from spine_common.domains.finra.otc_transparency.formats import DATE_FIELDS, SUMMARY_TYPES, Layout
from spine_common.domains.finra.otc_transparency.parse import UNREADABLE
from spine_common.domains.finra.otc_transparency.partition import TIERS


class Reason(StrEnum):
    """Every reason a line of a weekly file is rejected for."""

    INVALID_ENCODING = "invalid_encoding"
    """Bytes that are no UTF-8, or NUL."""
    BLANK_LINE = "blank_line"
    TORN_LINE = "torn_line"
    """The last line, cut off before its last column."""
    UNBALANCED_QUOTE = "unbalanced_quote"
    WRONG_COLUMN_COUNT = "wrong_column_count"
    EXCLUDED_SUMMARY_TYPE = "excluded_summary_type"
    """A sum over rows that are in the file, too; it would count them twice."""
    UNKNOWN_TIER = "unknown_tier"
    OTHER_PARTITION = "other_partition"
    INVALID_DATE = "invalid_date"
    BLANK_SYMBOL = "blank_symbol"
    INVALID_SYMBOL = "invalid_symbol"
    BLANK_VENUE = "blank_venue"
    INVALID_VENUE = "invalid_venue"
    NEGATIVE_QUANTITY = "negative_quantity"
    INVALID_QUANTITY = "invalid_quantity"
    INVALID_TRADES = "invalid_trades"
    DUPLICATE_ROW = "duplicate_row"
    """The same as an earlier line, which is kept."""
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    """Lines of one identity with different quantities: no telling which is right."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way a line is wrong: where ``broken`` is true it is rejected, ``detail`` says why."""

    reason: Reason
    field: str | None
    broken: pl.Expr
    detail: pl.Expr


_SYMBOL = r"^[!-~]{1,32}$"
_VENUE_FIELDS = (
    ("mpid", r"^[!-~]{1,16}$", 16),
    ("firm_crd", r"^[!-~]{1,16}$", 16),
    ("venue_name", r"^[^\p{C}\x{2028}\x{2029}]{1,200}$", 200),
)
_QUANTITY = r"^0*[0-9]{1,12}(\.[0-9]{1,6})?$"
_TRADES = r"^0*[0-9]{1,12}$"
_NEGATIVE = r"^-[0-9]+(\.[0-9]+)?$"


def rules(layout: Layout, partition: Partition, last_line: int) -> tuple[Rule, ...]:
    """Return the rules for the cut rows of a file; the first one broken is a line's reason."""
    return (
        *_whole_line(layout, last_line),
        *_place(layout, partition),
        *_identity(),
        *_number("shares", Reason.INVALID_QUANTITY, _QUANTITY, _what_ails_a_quantity),
        *_number("trades", Reason.INVALID_TRADES, _TRADES, _what_ails_a_count),
        *(_date(field) for field in DATE_FIELDS if field in layout.positions),
    )


def _whole_line(layout: Layout, last_line: int) -> tuple[Rule, ...]:
    text, width = pl.col("text"), pl.col("width")
    counted = pl.format("The line has {} columns, the header {}.", width, layout.width)
    return (
        _rule(
            Reason.INVALID_ENCODING,
            None,
            text.str.contains(UNREADABLE, literal=True),
            "The line has bytes that are no UTF-8 text.",
        ),
        _rule(Reason.BLANK_LINE, None, text.str.strip_chars() == "", "The line is blank."),
        Rule(
            Reason.TORN_LINE,
            None,
            (pl.col("line") == last_line) & (width < layout.width),
            pl.concat_str(counted, pl.lit(" The file ends in the middle of it.")),
        ),
        _rule(
            Reason.UNBALANCED_QUOTE,
            None,
            width.is_null(),
            "A quote is not closed, or text follows its end.",
        ),
        Rule(Reason.WRONG_COLUMN_COUNT, None, width != layout.width, counted),
    )


def _place(layout: Layout, partition: Partition) -> tuple[Rule, ...]:
    tier = pl.col("row_tier")
    found: tuple[Rule, ...] = (
        _rule(Reason.UNKNOWN_TIER, "tier", tier.is_null(), f"The tiers are {', '.join(TIERS)}."),
        _rule(
            Reason.OTHER_PARTITION,
            "tier",
            tier != partition["tier"],
            f"The capture is of {partition['tier']}.",
        ),
    )
    if "summary_code" in layout.positions:
        code = pl.col("summary_code")
        taken = _rule(
            Reason.EXCLUDED_SUMMARY_TYPE,
            "summary_code",
            ~code.is_in(list(SUMMARY_TYPES)).fill_null(value=False),
            f"Only {' and '.join(SUMMARY_TYPES)} rows are taken; others would count double.",
        )
        found = (taken, *found)
    if "week" in layout.positions:
        found = (*found, *_week(layout, partition))
    return found


def _week(layout: Layout, partition: Partition) -> tuple[Rule, ...]:
    week = pl.col("row_week")
    weekday = "Monday" if layout.format.days_to_friday else "Friday"
    return (
        _rule(Reason.INVALID_DATE, "week", week.is_null(), f"A {weekday}, as YYYY-MM-DD."),
        _rule(
            Reason.OTHER_PARTITION,
            "week",
            week != partition.business_date,
            f"The capture is of the week ending {partition.business_date}.",
        ),
    )


def _identity() -> tuple[Rule, ...]:
    symbol, venue = pl.col("symbol"), ("mpid", "firm_crd", "venue_name")
    return (
        _rule(Reason.BLANK_SYMBOL, "symbol", symbol.is_null(), "A row needs a symbol."),
        _rule(
            Reason.INVALID_SYMBOL,
            "symbol",
            ~symbol.str.contains(_SYMBOL),
            "A symbol is at most 32 printable ASCII characters, none of them a space.",
        ),
        _rule(
            Reason.BLANK_VENUE,
            "mpid",
            pl.all_horizontal(pl.col(field).is_null() for field in venue),
            "A row needs an MPID, or the number or name of a firm.",
        ),
        *(
            _rule(
                Reason.INVALID_VENUE,
                field,
                ~pl.col(field).str.contains(pattern),
                f"It is at most {longest} characters, none of them a control character.",
            )
            for field, pattern, longest in _VENUE_FIELDS
        ),
    )


def _number(field: str, reason: Reason, pattern: str, what_ails: pl.Expr) -> tuple[Rule, ...]:
    value = pl.col(field)
    return (
        _rule(Reason.NEGATIVE_QUANTITY, field, value.str.contains(_NEGATIVE), "It is below zero."),
        Rule(reason, field, ~value.str.contains(pattern).fill_null(value=False), what_ails),
    )


def _ailment(field: str, *cases: tuple[str, str], otherwise: str) -> pl.Expr:
    value = pl.col(field)
    said = [pl.when(value.str.contains(pattern)).then(pl.lit(text)) for pattern, text in cases]
    return pl.coalesce(
        pl.when(value.is_null()).then(pl.lit("It is empty.")), *said, pl.lit(otherwise)
    )


_what_ails_a_quantity = _ailment(
    "shares",
    (r"^[0-9.]+[eE][+-]?[0-9]+$", "It has an exponent; it is written out, with a point."),
    (r"^[0-9]+\.[0-9]{7,}$", "It has more than six decimal places."),
    (r"^[0-9]{13,}(\.[0-9]*)?$", "It is out of range: below 10^12."),
    otherwise="It is no number.",
)
_what_ails_a_count = _ailment(
    "trades",
    (r"^[0-9]+\.[0-9]+$", "It is no whole number."),
    (r"^[0-9.]+[eE][+-]?[0-9]+$", "It has an exponent; it is written out."),
    (r"^[0-9]{13,}$", "It is out of range: below 10^12."),
    otherwise="It is no number.",
)


def _date(field: str) -> Rule:
    value = pl.col(field)
    readable = pl.col(f"row_{field}").is_not_null()
    return _rule(
        Reason.INVALID_DATE, field, value.is_not_null() & ~readable, "A day, as YYYY-MM-DD."
    )


def _rule(reason: Reason, field: str | None, broken: pl.Expr, detail: str) -> Rule:
    return Rule(reason, field, broken, pl.lit(detail))
