"""`spine query`: what the tables say, as of now or of any day."""

# ruff: noqa: PLR0913 - a command line is its options

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from spine_cli import answers
from spine_cli.answers import Answer
from spine_cli.embedded import opened, quiet_settings
from spine_cli.errors import WANTS_JSON
from spine_cli.options import Json, Tier, WeekEnding
from spine_cli.render import Format, print_csv, print_json, print_table
from spine_cli.selection import Question

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.framework.ports.database import Transaction

app = typer.Typer(
    help="Ask the tables: weeks, symbols, venues, rejects, captures.", no_args_is_help=True
)


def _remember_json(ctx: typer.Context, value: Format) -> Format:
    if value is Format.JSON:
        ctx.meta[WANTS_JSON] = True
    return value


CaptureIdOption = Annotated[
    str | None, typer.Option(metavar="ID", help="This capture, not the latest one.")
]
AsOf = Annotated[
    str | None, typer.Option(metavar="TIME", help="As it was known then: ISO, UTC; a day's end.")
]
Limit = Annotated[
    int, typer.Option("--limit", "--top", "-n", min=1, max=1_000_000, help="How many at most.")
]
Reason = Annotated[str | None, typer.Option(help="Only rejects for this reason.")]
FormatOption = Annotated[
    Format, typer.Option("--format", help="How to print them.", callback=_remember_json)
]


@app.command()
def weeks(
    *,
    tier: Tier = None,
    week_ending: WeekEnding = None,
    limit: Limit = 50,
    format: FormatOption = Format.TABLE,  # noqa: A002 - the option's name
    json: Json = False,
) -> None:
    """List the weeks there are: rows, rejects, failed checks, whether they are ready."""
    question = Question(tier, week_ending)
    answer = _ask(lambda platform, tx: answers.weeks(platform, tx, question, limit))
    _print(answer, Format.JSON if json else format)


@app.command()
def captures(
    *,
    tier: Tier = None,
    week_ending: WeekEnding = None,
    as_of: AsOf = None,
    limit: Limit = 50,
    format: FormatOption = Format.TABLE,  # noqa: A002 - the option's name
    json: Json = False,
) -> None:
    """List every vintage of the weeks, newest first."""
    question = Question(tier, week_ending, as_of=as_of)
    answer = _ask(lambda platform, tx: answers.captures(platform, tx, question, limit))
    _print(answer, Format.JSON if json else format)


@app.command()
def symbols(
    *,
    tier: Tier = None,
    week_ending: WeekEnding = None,
    capture_id: CaptureIdOption = None,
    as_of: AsOf = None,
    limit: Limit = 20,
    format: FormatOption = Format.TABLE,  # noqa: A002 - the option's name
    json: Json = False,
) -> None:
    """List a week's symbols, the most traded first; without --week-ending the latest week."""
    question = Question(tier, week_ending, capture_id, as_of)
    answer = _ask(lambda p, tx: answers.calc_rows(p, tx, "symbol_summary", question, limit))
    _print(answer, Format.JSON if json else format)


@app.command()
def venues(
    *,
    tier: Tier = None,
    week_ending: WeekEnding = None,
    capture_id: CaptureIdOption = None,
    as_of: AsOf = None,
    limit: Limit = 20,
    format: FormatOption = Format.TABLE,  # noqa: A002 - the option's name
    json: Json = False,
) -> None:
    """List a week's venues by rank, with their share; without --week-ending the latest week."""
    question = Question(tier, week_ending, capture_id, as_of)
    answer = _ask(lambda p, tx: answers.calc_rows(p, tx, "venue_share", question, limit))
    _print(answer, Format.JSON if json else format)


@app.command()
def rejects(
    *,
    tier: Tier = None,
    week_ending: WeekEnding = None,
    capture_id: CaptureIdOption = None,
    as_of: AsOf = None,
    reason: Reason = None,
    limit: Limit = 50,
    format: FormatOption = Format.TABLE,  # noqa: A002 - the option's name
    json: Json = False,
) -> None:
    """List a week's rejected lines: where, why, and what they said."""
    question = Question(tier, week_ending, capture_id, as_of)
    answer = _ask(lambda p, tx: answers.rejects(p, tx, question, reason, limit))
    _print(answer, Format.JSON if json else format)


def _ask(build: Callable[["Platform", "Transaction"], Awaitable[Answer]]) -> Answer:
    async def ask() -> Answer:
        async with opened(quiet_settings()) as platform, platform.database.reading() as tx:
            return await build(platform, tx)

    return asyncio.run(ask())


def _print(answer: Answer, format_: Format) -> None:
    match format_:
        case Format.JSON:
            print_json(answer.document())
        case Format.CSV:
            print_csv(answer.rows, answer.columns)
        case Format.TABLE:
            print_table(answer.title, answer.fields, answer.rows)
            if answer.total > len(answer.rows):
                typer.echo(f"{len(answer.rows):,} of {answer.total:,}; --limit shows more.")
