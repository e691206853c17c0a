"""What is said of letters that were settled: each with what came of it, then how many."""

from collections.abc import Sequence
from typing import Any

import typer

from spine_cli.deadletters.settling import Settled
from spine_cli.errors import FAILED
from spine_cli.invocation import spine
from spine_cli.render import Field, code, print_json, print_table
from spine_cli.waiting import print_who_does_it

_MOST = 50
_RETRIED_FIELDS = [
    Field("dead_letter_id", "letter", code, is_number=True),
    Field("result", "result"),
    Field("execution_id", "execution"),
    Field("status", "status"),
]
_DISCARDED_FIELDS = _RETRIED_FIELDS[:2]
_WHY = Field("reason", "why not")


def report_retried(
    settled: Sequence[Settled],
    waiting: int | None = None,
    rate: float | None = None,
    *,
    json: bool,
) -> None:
    """Say what came of letters that were to be retried; exit code 1 if nothing could be.

    ``waiting`` is how many of those a filter means wait still, ``rate`` how many a second are due.
    """
    refused = sum(bool(one.refused) for one in settled)
    if json:
        document = _document("retried", settled)
        print_json(document if waiting is None else {**document, "still_waiting": waiting})
    else:
        words = ("asked for before", "ordered again")
        rows = [_retried_document(one) | _result(one, *words) for one in settled]
        _print(_RETRIED_FIELDS, rows, settled, words)
        if rate is not None and len(settled) > 1:
            lasts = (len(settled) - 1) / rate
            typer.echo(f"They are due one after the other, the last {lasts:,.0f} s from now.")
        if waiting is not None and waiting > refused:
            typer.echo(f"{waiting:,} wait still; the same command takes the next of them.")
        _print_next(settled)
    _end(settled)


def report_discarded(settled: Sequence[Settled], *, json: bool) -> None:
    """Say what came of letters that were to be discarded; exit code 1 if none could be."""
    if json:
        print_json(_document("discarded", settled))
    else:
        words = ("discarded before", "discarded")
        rows = [_discarded_document(one) | _result(one, *words) for one in settled]
        _print(_DISCARDED_FIELDS, rows, settled, words)
    _end(settled)


def _document(done: str, settled: Sequence[Settled]) -> dict[str, Any]:
    tell = _retried_document if done == "retried" else _discarded_document
    return {
        done: [tell(one) for one in settled if not one.refused],
        f"not_{done}": [
            {"dead_letter_id": one.dead_letter_id, "reason": one.refused}
            for one in settled
            if one.refused
        ],
    }


def _retried_document(one: Settled) -> dict[str, Any]:
    execution = one.execution
    return {
        **_discarded_document(one),
        "execution_id": execution.execution_id if execution else None,
        "status": execution.status if execution else None,
    }


def _discarded_document(one: Settled) -> dict[str, Any]:
    return {"dead_letter_id": one.dead_letter_id, "is_new": one.is_new}


def _result(one: Settled, before: str, now: str) -> dict[str, str]:
    """Return what a table says besides: in a word what came of it, and why nothing did."""
    if one.refused:
        return {"result": "refused", "reason": one.refused}
    return {"result": now if one.is_new else before}


def _print(
    fields: Sequence[Field],
    rows: Sequence[dict[str, Any]],
    settled: Sequence[Settled],
    words: tuple[str, str],
) -> None:
    if not rows:
        typer.echo("No letter that is meant waits.")
        return
    shown = [*fields, _WHY] if any(one.refused for one in settled) else fields
    print_table("", shown, rows[:_MOST])
    before, now = words
    counted = {
        now: sum(one.is_new and not one.refused for one in settled),
        before: sum(not one.is_new and not one.refused for one in settled),
        "refused": sum(bool(one.refused) for one in settled),
    }
    said = ", ".join(f"{count:,} {word}" for word, count in counted.items() if count)
    typer.echo(f"{said}; {_MOST} are shown." if len(rows) > _MOST else f"{said}.")


def _print_next(settled: Sequence[Settled]) -> None:
    told = next((one.execution for one in settled if one.execution), None)
    if told is not None:
        typer.echo(f"Next: {spine('execution', 'show', told.execution_id)}")
    if any(one.is_new for one in settled):
        print_who_does_it()


def _end(settled: Sequence[Settled]) -> None:
    if settled and all(one.refused for one in settled):
        raise typer.Exit(FAILED)
