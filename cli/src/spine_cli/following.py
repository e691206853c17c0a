"""An order from the moment it is recorded to its last words: watched, then reported."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from spine_cli.errors import FAILED
from spine_cli.outcome import Outcome, outcome_document, read_outcome
from spine_cli.progress import Snapshot, stage_lines
from spine_cli.render import print_json
from spine_cli.summary import print_failure, print_summary
from spine_cli.view import progress_view
from spine_cli.watch import watch
from spine_common.core.ids import ExecutionId

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform


async def follow(platform: "Platform", execution_id: ExecutionId) -> Outcome:
    """Show on stderr how an order comes along until it has ended; return what it came to."""
    with progress_view(Console(stderr=True)) as show_lines:

        def show(snapshots: Sequence[Snapshot]) -> None:
            show_lines(stage_lines(snapshots[0], datetime.now(UTC)))

        (snapshot,) = await watch(platform, [execution_id], show)
    return await read_outcome(platform, snapshot)


def report(outcome: Outcome, *, json: bool) -> None:
    """Print what an order came to, and end with exit code 1 if it failed."""
    if json:
        print_json(outcome_document(outcome))
    else:
        print_summary(outcome, datetime.now(UTC))
    if not outcome.succeeded:
        print_failure(outcome)
        raise typer.Exit(FAILED)
