"""The demo's job: every publication through ingest, normalize and aggregate, in this process."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console

from spine_cli.demonstration.publications import Publication, Publications
from spine_cli.ordering import order
from spine_cli.outcome import SUCCEEDED
from spine_cli.progress import Snapshot, order_line
from spine_cli.view import ShowLines, progress_view
from spine_cli.watch import watch
from spine_common.core.errors import SpineError
from spine_common.core.pipeline import Stage

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform

PIPELINE = "finra.otc_transparency.process_week"


class DemoFailed(SpineError):
    """A publication of the demo did not come through."""

    code = "DEMO_FAILED"


@dataclass(frozen=True, slots=True)
class Work:
    """What the job did: rows that were captured, and seconds from first order to last end."""

    rows: int
    seconds: float


async def do_job(platform: "Platform", publications: Publications) -> Work:
    """Process the first publications together, then the later ones; raise ``DemoFailed``."""
    began = time.perf_counter()
    with progress_view(Console(stderr=True)) as show:
        first = await _process(platform, publications.first, show)
        later = await _process(platform, publications.later, show)
    took = time.perf_counter() - began
    ingested = (snapshot.child(Stage.INGEST) for snapshot in (*first, *later))
    return Work(sum(e.result.get("rows", 0) for e in ingested if e), took)


async def _process(
    platform: "Platform", publications: Sequence[Publication], show_lines: ShowLines
) -> Sequence[Snapshot]:
    ordered = [
        await order(
            platform,
            PIPELINE,
            {
                "file_path": str(publication.path),
                "week_ending": publication.week_ending.isoformat(),
                "tier": publication.tier,
            },
        )
        for publication in publications
    ]

    def show(snapshots: Sequence[Snapshot]) -> None:
        now = datetime.now(UTC)
        labelled = zip(publications, snapshots, strict=True)
        show_lines([order_line(snapshot, p.label, now) for p, snapshot in labelled])

    snapshots = await watch(platform, [execution.execution_id for execution in ordered], show)
    for publication, snapshot in zip(publications, snapshots, strict=True):
        if snapshot.execution.status not in SUCCEEDED:
            raise DemoFailed(f"{publication.label}: {snapshot.execution.error}")
    return snapshots
