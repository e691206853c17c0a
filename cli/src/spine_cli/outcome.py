"""What an order came to: its capture, its rows, what was rejected, which checks failed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spine_cli.documents import capture_document, execution_document
from spine_cli.progress import Snapshot
from spine_common.core.capture import Capture
from spine_common.core.execution import Status
from spine_common.core.ids import CaptureId
from spine_common.core.pipeline import WORK_STAGES, Stage
from spine_common.core.quality import CheckStatus

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform

SUCCEEDED = frozenset({Status.COMPLETED, Status.SKIPPED})


@dataclass(frozen=True, slots=True)
class Outcome:
    """An order that has ended, with the evidence about its capture, if it has one."""

    snapshot: Snapshot
    capture: Capture | None = None
    stages_done: frozenset[Stage] = frozenset()
    reject_reasons: Mapping[str, int] | None = None
    failed_checks: Sequence[Mapping[str, Any]] = ()
    next_pipeline: str | None = None
    """What the capture lacks first, as a pipeline's name."""

    @property
    def succeeded(self) -> bool:
        """Whether the order ended as ordered, or had been done before."""
        return self.snapshot.execution.status in SUCCEEDED

    @property
    def rejected(self) -> int:
        """How many rows of the capture were rejected."""
        return sum((self.reject_reasons or {}).values())

    @property
    def skip_reason(self) -> str:
        """Why there was nothing to do; empty if there was something."""
        if self.snapshot.execution.status is not Status.SKIPPED:
            return ""
        reasons = (part.result.get("reason") for part in self.snapshot.parts)
        own = self.snapshot.execution.result.get("reason")
        return str(own or next(filter(None, reasons), "it was done before"))


async def read_outcome(platform: "Platform", snapshot: Snapshot) -> Outcome:
    """Read the evidence about what an order made."""
    capture_id = snapshot.execution.result.get("capture_id")
    if capture_id is None:
        return Outcome(snapshot)
    async with platform.database.reading() as tx:
        capture = await tx.captures.get(CaptureId(capture_id))
        done = {stage for stage in Stage if await tx.manifest.done(capture, stage)}
        checks = await tx.queries.checks(capture)
        domain = platform.registry.domain(snapshot.execution.domain)
        lacking = next((stage for stage in WORK_STAGES if stage not in done), None)
        return Outcome(
            snapshot=snapshot,
            capture=capture,
            stages_done=frozenset(done),
            next_pipeline=next((p.name for p in domain.pipelines if p.stage is lacking), None),
            reject_reasons=await tx.queries.reject_reasons(capture),
            failed_checks=[check for check in checks if check["status"] == CheckStatus.FAILED],
        )


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """Return the outcome as one JSON document; its top level is the execution."""
    snapshot = outcome.snapshot
    return {
        **execution_document(snapshot.execution),
        "children": [execution_document(child) for child in snapshot.children],
        "capture": capture_document(outcome.capture) if outcome.capture else None,
        "rejected": dict(outcome.reject_reasons or {}),
        "failed_checks": [dict(check) for check in outcome.failed_checks],
    }
