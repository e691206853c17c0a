"""How rows become a table, JSON or CSV: exact values for programs, readable ones for people."""

import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
_ENDLESS = 10_000


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def plain(value: Any) -> str:
    """Show a value as a person writes it; a missing one as nothing."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case Decimal():
            return f"{value.normalize():,f}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case _:
            return printable(str(value))


def code(value: Any) -> str:
    """Show a number that is a name: without separators."""
    return "" if value is None else printable(str(value))


def percent(value: Any) -> str:
    """Show a ratio as a percentage."""
    return "" if value is None else f"{value:.2%}"


def counted(count: int, noun: str) -> str:
    """Say how many there are of something whose plural is regular."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def printable(text: str) -> str:
    """Return ``text`` with whatever could steer a terminal spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a table: where its value is, its title, how it is shown."""

    name: str
    title: str
    show: Callable[[Any], str] = plain
    is_number: bool = False
    is_long: bool = False
    """Cut on a narrow terminal instead of folded into many lines."""


def print_table(title: str, fields: Sequence[Field], rows: Sequence[Row]) -> None:
    """Print a table on stdout, as wide as it has to be when that is no terminal."""
    if not rows:
        typer.echo(f"{title}: none" if title else "None.")
        return
    table = Table(
        title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE, pad_edge=False
    )
    for field in fields:
        table.add_column(
            Text(field.title),
            justify="right" if field.is_number else "left",
            overflow="ellipsis" if field.is_long else "fold",
            no_wrap=field.is_long or field.is_number,
        )
    for row in rows:
        table.add_row(*(Text(field.show(row.get(field.name))) for field in fields))
    console = Console()
    if not console.is_terminal:
        unbounded = console.options.update(max_width=_ENDLESS)
        console.width = max(console.width, Measurement.get(console, unbounded, table).maximum)
    console.print(table)


def print_json(document: Any) -> None:
    """Print one JSON document on stdout; exact decimals are text, as in the API."""
    options = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
    if sys.stdout.isatty():
        options |= orjson.OPT_INDENT_2
    typer.echo(orjson.dumps(document, default=_exact, option=options).decode())


def _exact(value: Any) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def print_csv(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Print rows as CSV with a header; dates are ISO, a missing value is an empty field."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _spelled(row.get(name)) for name in columns})
    # Not through echo, which takes terminal codes out where they are data.
    sys.stdout.write(text.getvalue())


_FORMULA = frozenset("=+-@\t\r\0")


def _spelled(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return f"{value.normalize():f}"
        case bool():
            return "true" if value else "false"
        case str() if value[:1] in _FORMULA:
            return f"'{value}"  # a spreadsheet would run it
        case _:
            return value
