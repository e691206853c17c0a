"""Whether a capture's numbers may be used, and if not, what stands in the way."""

from collections.abc import Iterable, Mapping
from typing import Any

from spine_api.schemas.calcs import BlockingIssue, Readiness
from spine_common.core.capture import Capture
from spine_common.core.domain import Domain
from spine_common.core.pipeline import WORK_STAGES, Stage
from spine_common.core.quality import CheckStatus
from spine_common.framework.ports.database import Transaction

Done = Mapping[Stage, frozenset[str]]


async def read_readiness(
    tx: Transaction, domain: Domain, capture: Capture
) -> tuple[Readiness, Done]:
    """Return the capture's readiness and which work the manifest shows as done."""
    done = {stage: await tx.manifest.done(capture, stage) for stage in WORK_STAGES}
    return readiness(domain, done, await tx.queries.checks(capture)), done


def readiness(domain: Domain, done: Done, checks: Iterable[Mapping[str, Any]]) -> Readiness:
    """Judge a capture by the work done and its quality checks.

    ``ready_for`` names the calcs whose numbers are there; a failed check blocks all of them.
    """
    unfinished = [
        _unfinished(stage, domain.versions(stage) - done.get(stage, frozenset()))
        for stage in WORK_STAGES
    ]
    failed = [_failed(check) for check in checks if check["status"] == CheckStatus.FAILED]
    issues = [issue for issue in unfinished if issue] + failed
    return Readiness(
        is_ready=not issues,
        ready_for=[] if failed else sorted(done.get(Stage.AGGREGATE, frozenset())),
        blocking_issues=issues,
    )


def _unfinished(stage: Stage, missing: frozenset[str]) -> BlockingIssue | None:
    if not missing:
        return None
    what = f": {', '.join(sorted(missing))}" if stage is Stage.AGGREGATE else ""
    return BlockingIssue(
        code="STAGE_INCOMPLETE", stage=stage, message=f"{stage} is not done yet{what}."
    )


def _failed(check: Mapping[str, Any]) -> BlockingIssue:
    said = f"{check['name']}: expected {check['expected']}, observed {check['observed']}."
    return BlockingIssue(
        code="CHECK_FAILED",
        stage=Stage(check["stage"]),
        message=f"{said} {check['detail']}".rstrip(),
    )
