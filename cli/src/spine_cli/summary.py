"""The last words of a run: what came out of it, why it failed, what to type next."""

from collections.abc import Iterator
from datetime import datetime

import typer

from spine_cli.errors import complain
from spine_cli.invocation import spine
from spine_cli.outcome import Outcome
from spine_cli.progress import partition_text, seconds
from spine_cli.render import plain, printable
from spine_common.core.execution import Status
from spine_common.core.pipeline import Stage

_COLORS = {Status.COMPLETED: "green", Status.SKIPPED: "yellow"}


def print_summary(outcome: Outcome, now: datetime) -> None:
    """Print on stdout what came of an order, and what to type next."""
    execution = outcome.snapshot.execution
    took = seconds(execution, now)
    status = typer.style(execution.status, fg=_COLORS.get(execution.status, "red"), bold=True)
    head = [status, execution.pipeline, partition_text(execution)]
    head.append(f"{took:.2f} s" if took is not None else "")
    typer.echo("  ".join(filter(None, head)))
    for name, value in _facts(outcome):
        typer.echo(f"  {name:<10} {printable(value)}")
    for number, command in enumerate(_next_commands(outcome)):
        typer.echo(f"{'Next:' if number == 0 else '':<6}{command}")


def print_failure(outcome: Outcome) -> None:
    """Say on stderr why an order did not succeed."""
    execution = outcome.snapshot.execution
    if execution.status is Status.CANCELLED:
        complain("CANCELLED", "The execution was cancelled.")
    else:
        complain(execution.error_code or "FAILED", printable(execution.error or ""))
    typer.echo(f"See {spine('execution', 'show', execution.execution_id)}", err=True)


def _facts(outcome: Outcome) -> Iterator[tuple[str, str]]:
    execution = outcome.snapshot.execution
    yield "execution", execution.execution_id
    if reason := outcome.skip_reason:
        yield "skipped", reason
    if (capture := outcome.capture) is None:
        yield from _own_words(outcome)
        return
    yield "capture", capture.capture_id
    rows = f"{capture.rows:,} captured"
    if Stage.NORMALIZE in outcome.stages_done:
        rows += f", {capture.rows - outcome.rejected:,} accepted, {outcome.rejected:,} rejected"
    yield "rows", rows
    for reason, count in (outcome.reject_reasons or {}).items():
        yield "rejected", f"{count:,} {reason}"
    for check in outcome.failed_checks:
        said = f"expected {check['expected']}, observed {check['observed']}. {check['detail']}"
        yield "check", f"{check['name']} failed: {said}".rstrip()


def _own_words(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield what a plain pipeline reports, or how many parts an order for all had."""
    for name, value in outcome.snapshot.execution.result.items():
        if name != "reason":
            yield name, value if isinstance(value, str) else plain(value)


def _next_commands(outcome: Outcome) -> Iterator[str]:
    capture = outcome.capture
    if capture is None:
        return
    named = f"--capture-id={capture.capture_id}"
    if Stage.AGGREGATE in outcome.stages_done:
        yield spine("query", "venues", named)
        yield spine("query", "symbols", named)
    elif outcome.next_pipeline:
        yield spine("run", outcome.next_pipeline, f"-p capture_id={capture.capture_id}")
    if outcome.rejected:
        yield spine("query", "rejects", named)
