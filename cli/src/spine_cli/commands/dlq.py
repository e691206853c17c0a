"""`spine dlq`: what nobody could use, why, and what a person decides about it."""

# ruff: noqa: PLR0913 - a command line is its options

import asyncio
import sys
from typing import Annotated

import typer

from spine_cli.confirm import Yes, ask_or_refuse
from spine_cli.deadletters import reading, settling
from spine_cli.deadletters.choice import (
    Choice,
    OfPartition,
    OfPipeline,
    OfShape,
    Since,
    State,
    StateOption,
    Until,
    WithCode,
)
from spine_cli.deadletters.lists import print_causes, print_letters
from spine_cli.deadletters.report import report_discarded, report_retried
from spine_cli.deadletters.showing import print_letter
from spine_cli.invocation import spine
from spine_cli.options import Json
from spine_cli.render import counted, print_json
from spine_common.core.errors import InvalidParams, MissingRequired

app = typer.Typer(
    help="Dead letters: look at them, try them again, discard them.", no_args_is_help=True
)

MOST_AT_ONCE = 10_000
Limit = Annotated[
    int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="How many at most.")
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Letters' numbers, or executions' ids: all that is theirs."),
]
Number = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="Its number.")]
Raw = Annotated[bool, typer.Option("--body", help="Write the message's bytes to stdout, no more.")]
Rate = Annotated[
    float | None, typer.Option(metavar="N", min=1e-6, help="So many a second, not all at once.")
]
AtOnce = Annotated[
    int | None,
    typer.Option("--limit", min=1, max=1_000_000, help=f"How many at most, else {MOST_AT_ONCE:,}."),
]
Because = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]


@app.command("list")
def list_letters(
    *,
    state: StateOption = State.WAITING,
    pipeline: OfPipeline = None,
    partition: OfPartition = None,
    code: WithCode = None,
    shape: OfShape = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List letters, the newest first: those that wait for a person, or others by --state."""
    choice = _choice(pipeline, partition, code, shape, since, until, state)
    print_letters(asyncio.run(reading.recent(choice, limit)), json=json)


@app.command()
def groups(
    *,
    state: StateOption = State.WAITING,
    pipeline: OfPipeline = None,
    partition: OfPartition = None,
    code: WithCode = None,
    shape: OfShape = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Group letters by cause: error, pipeline and kind of message, the most numerous first."""
    choice = _choice(pipeline, partition, code, shape, since, until, state)
    print_causes(asyncio.run(reading.causes(choice, limit)), choice, json=json)


@app.command()
def show(number: Number, *, body: Raw = False, json: Json = False) -> None:
    """Show one letter whole: reason, headers, message, execution, and what became of it."""
    if body and json:
        raise InvalidParams("--body and --json exclude each other.", remedy="Give one.")
    letter = asyncio.run(reading.whole(number))
    if body:
        sys.stdout.buffer.write(letter.body)
        sys.stdout.buffer.flush()
    elif json:
        print_json(reading.whole_document(letter))
    else:
        print_letter(letter)


@app.command()
def retry(
    ids: Names = None,
    *,
    pipeline: OfPipeline = None,
    partition: OfPartition = None,
    code: WithCode = None,
    shape: OfShape = None,
    since: Since = None,
    until: Until = None,
    rate: Rate = None,
    limit: AtOnce = None,
    json: Json = False,
) -> None:
    """Try letters again, by number, execution or filter; each once, however often it is asked.

    Each goes on as a new execution below the one that failed. A message that never became an
    execution is sent once more as it came. Exit code 1 if none can be tried again.
    """
    choice = _choice(pipeline, partition, code, shape, since, until)
    if _is_named(ids, choice):
        if rate is not None or limit is not None:
            raise InvalidParams("--rate and --limit are for a filter.", remedy="Leave them out.")
        report_retried(asyncio.run(settling.retry_named(ids or ())), json=json)
    else:
        _retry_fitting(choice, rate, limit, json=json)


@app.command("retry-all")
def retry_all(
    *, rate: Rate = None, limit: AtOnce = None, yes: Yes = False, json: Json = False
) -> None:
    """Try every letter that waits again, the oldest first."""
    if not yes:
        waiting = asyncio.run(settling.count(Choice()))
        meant = min(waiting, limit or MOST_AT_ONCE)
        if meant:
            ask_or_refuse(f"Try {counted(meant, 'dead letter')} again?")
    _retry_fitting(Choice(), rate, limit, json=json)


@app.command()
def discard(
    ids: Names = None,
    *,
    reason: Because,
    pipeline: OfPipeline = None,
    partition: OfPartition = None,
    code: WithCode = None,
    shape: OfShape = None,
    since: Since = None,
    until: Until = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Give letters up, with a reason; they stay where they are, for the record."""
    if not reason.strip():
        raise InvalidParams("A discarded letter needs a reason.", field="reason")
    choice = _choice(pipeline, partition, code, shape, since, until)
    if _is_named(ids, choice):
        done = asyncio.run(settling.discard_named(ids or (), reason))
    else:
        if not yes and (meant := asyncio.run(settling.count(choice))):
            ask_or_refuse(f"Discard {counted(meant, 'dead letter')}?")
        done = asyncio.run(settling.discard_fitting(choice, reason))
    report_discarded(done, json=json)


def _choice(  # noqa: PLR0917 - as above
    pipeline: str | None,
    partition: str | None,
    code: str | None,
    shape: str | None,
    since: str | None,
    until: str | None,
    state: State = State.WAITING,
) -> Choice:
    return Choice(
        pipeline=pipeline,
        partition=partition,
        code=code,
        shape=shape,
        since=since,
        until=until,
        state=state,
    )


def _is_named(ids: list[str] | None, choice: Choice) -> bool:
    """Whether letters are named; ``InvalidParams`` if both or neither says which are meant."""
    if ids and choice.is_given:
        raise InvalidParams(
            "IDs and filters exclude each other.", remedy="Name letters, or filter them."
        )
    if not ids and not choice.is_given:
        raise MissingRequired(
            "Which letters?",
            remedy=f"Name some, or filter with --code or --pipeline: {spine('dlq', 'groups')}",
        )
    return bool(ids)


def _retry_fitting(choice: Choice, rate: float | None, limit: int | None, *, json: bool) -> None:
    done = asyncio.run(settling.retry_fitting(choice, rate, limit or MOST_AT_ONCE))
    report_retried(done, rate, by_filter=True, json=json)
