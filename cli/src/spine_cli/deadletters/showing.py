"""One dead letter on a screen: what it is, why it died, what it said, what became of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import typer

from spine_cli.deadletters.body import body_lines
from spine_cli.deadletters.reading import Whole
from spine_cli.invocation import spine
from spine_cli.render import plain, printable
from spine_common.core.execution import Execution

_MOST_OF_A_HEADER = 400


def print_letter(letter: Whole) -> None:
    """Print a letter whole, and what a person may do about it."""
    for name, value in _facts(letter):
        if value:
            typer.echo(f"{name:<11}{printable(value)}")
    headers: Mapping[str, Any] = letter.row["headers"]
    typer.echo(f"{'headers':<11}{'' if headers else 'none'}".rstrip())
    for name, value in headers.items():
        typer.echo(f"  {printable(name)}: {_header(value)}")
    typer.echo(f"{'body':<11}{len(letter.body):,} bytes")
    # Set in, so that no line of it can pass for one of ours.
    for line in body_lines(letter.body):
        typer.echo(f"  {line}")
    for number, command in enumerate(_next_commands(letter)):
        typer.echo(f"{'Next:' if number == 0 else '':<6}{command}")


def _facts(letter: Whole) -> Iterator[tuple[str, str]]:
    row = letter.row
    yield "letter", str(row["dead_letter_id"])
    settled = f" since {plain(row['settled_at'])}" if row["settled_at"] else ""
    because = f": {row['settled_because']}" if row["settled_because"] else ""
    yield "state", f"{row['state']}{settled}{because}"
    yield "error", f"{row['code']} ({row['kind']})"
    yield "reason", row["reason"]
    yield "received", f"{plain(row['received_at'])} UTC, in {row['queue']}"
    if row["seen"] > 1:
        yield "seen", f"{row['seen']:,} times, last {plain(row['last_seen_at'])} UTC"
    yield "pipeline", row["pipeline"] or ""
    yield "partition", row["partition_key"] or ""
    yield "message", f"{row['shape']}, id {row['message_id'] or 'none'}"
    if row["execution_id"]:
        of = f"{row['execution_id']}, attempt {row['attempt']}"
        yield "execution", f"{of}, {_status(letter.execution)}"
    if row["retry_execution_id"]:
        yield "retried as", f"{row['retry_execution_id']}, {_status(letter.retry)}"


def _status(execution: Execution | None) -> str:
    return f"{execution.status} now" if execution else "not in the ledger"


def _header(value: Any) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    cut = f"{text[:_MOST_OF_A_HEADER]}… ({len(text):,} characters)"
    return printable(text if len(text) <= _MOST_OF_A_HEADER else cut)


def _next_commands(letter: Whole) -> Iterator[str]:
    row = letter.row
    number = str(row["dead_letter_id"])
    if row["state"] == "waiting":
        yield spine("dlq", "retry", number)
        yield spine("dlq", "discard", number, "--reason", "…")
    tells = letter.retry or letter.execution
    if tells is not None:
        yield spine("execution", "show", tells.execution_id)
