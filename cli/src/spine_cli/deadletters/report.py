"""What is said of letters that were settled: each with what came of it, then how many."""

from collections.abc import Sequence
from typing import Any

import typer

from spine_cli.deadletters.settling import Settled, Settlement
from spine_cli.errors import FAILED, as_document
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
    done: Settlement, rate: float | None = None, *, by_filter: bool = False, json: bool
) -> None:
    """Say what came of letters that were to be retried; exit code 1 if nothing could be.

    ``rate`` is how many a second are due. What stopped it half-way is raised after the report.
    """
    if json:
        waiting = {"still_waiting": done.waiting} if by_filter else {}
        print_json(_document("retried", done) | waiting | _trouble(done))
    else:
        words = ("asked for before", "ordered again")
        rows = [_retried_document(one) | _result(one, *words) for one in done.settled]
        _print(_RETRIED_FIELDS, rows, done.settled, words)
        ordered = sum(one.is_new and not one.refused for one in done.settled)
        if rate is not None and ordered > 1:
            lasts = (ordered - 1) / rate
            typer.echo(f"They are due one after the other, the last {lasts:,.0f} s from now.")
        if done.waiting:
            typer.echo(_still(done.waiting, sum(bool(one.refused) for one in done.settled)))
        _print_next(done.settled)
    _end(done, json=json)


def _still(waiting: int, refused: int) -> str:
    """Say how many wait still, and whether asking once more gets any further."""
    if waiting <= refused:
        return f"{waiting:,} wait still: nothing but what was refused."
    among = f", the {refused:,} refused among them" if refused else ""
    return f"{waiting:,} wait still{among}; the same command takes the next of them."


def report_discarded(done: Settlement, *, json: bool) -> None:
    """Say what came of letters that were to be discarded; exit code 1 if none could be."""
    if json:
        print_json(_document("discarded", done) | _trouble(done))
    else:
        words = ("discarded before", "discarded")
        rows = [_discarded_document(one) | _result(one, *words) for one in done.settled]
        _print(_DISCARDED_FIELDS, rows, done.settled, words)
    _end(done, json=json)


def _document(word: str, done: Settlement) -> dict[str, Any]:
    tell = _retried_document if word == "retried" else _discarded_document
    return {
        word: [tell(one) for one in done.settled if not one.refused],
        f"not_{word}": [
            {
                "dead_letter_id": one.dead_letter_id,
                "execution_id": one.asked,
                "reason": one.refused,
            }
            for one in done.settled
            if one.refused
        ],
    }


def _trouble(done: Settlement) -> dict[str, Any]:
    return {} if done.stopped is None else as_document(done.stopped)


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


def _end(done: Settlement, *, json: bool) -> None:
    if done.stopped is not None:
        if not json:
            raise done.stopped
        raise typer.Exit(FAILED)
    if done.settled and all(one.refused for one in done.settled):
        raise typer.Exit(FAILED)
