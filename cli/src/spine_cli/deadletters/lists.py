"""Many dead letters on a screen: letter by letter, or cause by cause."""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from spine_cli.deadletters.choice import Choice, State
from spine_cli.deadletters.reading import letter_document
from spine_cli.invocation import spine
from spine_cli.progress import partition_words
from spine_cli.render import Row, counted, plain, print_json, printable

if TYPE_CHECKING:
    from spine_common.framework.ports.queries import Page

_MOST_OF_A_REASON = 120
_NUMBER = 6
"""How wide a letter's number is."""
_CAUSE_NAMES = (
    *("code", "kind", "pipeline", "shape", "count", "letters", "first_seen", "last_seen"),
    *("newest_id", "example"),
)


def print_letters(page: "Page", *, json: bool) -> None:
    """Print letters for a person or as one document."""
    documents = [letter_document(row) for row in page.rows]
    if json:
        print_json({"dead_letters": documents, **_extent(page)})
        return
    # Two lines each: a table wide enough for all of this fits no terminal.
    for letter in documents:
        typer.echo("  ".join(filter(None, map(printable, _head(letter)))))
        typer.echo(f"{'':<{_NUMBER}}  {_brief(letter['reason'])}")
    if not documents:
        typer.echo("None.")
    _print_extent(page)
    if documents:
        typer.echo(f"Next: {spine('dlq', 'show', str(documents[0]['id']))}")


def _head(letter: Row) -> Iterator[str]:
    yield f"{letter['id']:>{_NUMBER}}"
    yield plain(letter["received_at"])
    yield "" if letter["state"] == State.WAITING else letter["state"]
    yield letter["code"]
    yield letter["pipeline"] or letter["shape"]
    yield partition_words(letter["partition"] or "")


def _brief(reason: str) -> str:
    """Return a reason without its remedy, which is for one and not for many."""
    first, stop, _ = reason.partition(". ")
    text = printable(f"{first}{stop}".strip())
    return text if len(text) <= _MOST_OF_A_REASON else f"{text[: _MOST_OF_A_REASON - 1]}…"


def print_causes(page: "Page", choice: Choice, *, json: bool) -> None:
    """Print causes, each with what shows one of its letters and what tries them all again."""
    if json:
        documents = [{name: row[name] for name in _CAUSE_NAMES} for row in page.rows]
        print_json({"groups": documents, **_extent(page)})
        return
    for row in page.rows:
        head = f"{row['code']} ({row['kind']})"
        typer.secho(f"{counted(row['letters'], 'letter')}  {printable(head)}", bold=True)
        for name, value in _facts(row, choice):
            typer.echo(f"  {name:<10} {printable(value)}")
        typer.echo()
    if not page.rows:
        typer.echo("None.")
    _print_extent(page)


def _facts(cause: Row, choice: Choice) -> Iterator[tuple[str, str]]:
    if cause["pipeline"]:
        yield "pipeline", cause["pipeline"]
    yield "message", cause["shape"]
    times, last = counted(cause["count"], "time"), plain(cause["last_seen"])
    yield "seen", f"{times}, {plain(cause['first_seen'])} to {last} UTC"
    yield "reason", _brief(cause["example"])
    yield "the newest", spine("dlq", "show", str(cause["newest_id"]))
    if choice.state is State.WAITING:
        yield "all again", spine("dlq", "retry", *_options(cause, choice))


def _options(cause: Row, choice: Choice) -> Iterator[str]:
    """Yield the options that mean the letters of one cause, as far as they were asked about."""
    # A pipeline's commands are all of one shape.
    shape = None if cause["pipeline"] else cause["shape"]
    given = {
        "--code": cause["code"],
        "--pipeline": cause["pipeline"],
        "--shape": shape,
        "--partition": choice.partition,
        "--since": choice.since,
        "--until": choice.until,
    }
    for option, value in given.items():
        if value:
            yield from (option, shlex.quote(str(value)))


def _extent(page: "Page") -> dict[str, Any]:
    return {"total": page.total, "has_more": page.total > len(page.rows)}


def _print_extent(page: "Page") -> None:
    if page.total > len(page.rows):
        typer.echo(f"{len(page.rows):,} of {page.total:,}; --limit shows more.")
