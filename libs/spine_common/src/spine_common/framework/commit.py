"""A stage's result becomes facts: data, manifest, evidence, events and what follows, at once."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from spine_common.contracts.events import partition_event
from spine_common.core.capture import Capture, NewCapture
from spine_common.core.execution import EventType, Execution
from spine_common.core.ids import CaptureId, Fence
from spine_common.framework import workflow
from spine_common.framework.lease import hold_fence
from spine_common.framework.ports.database import Transaction
from spine_common.framework.registry import Registry
from spine_common.framework.stage import NothingToDo, PlainResult, StageOutput, StageResult

_End = Callable[..., Awaitable[Execution]]


async def commit(
    tx: Transaction, registry: Registry, claimed: Execution, output: StageOutput
) -> Execution:
    """Write what a stage made and end its execution, under its fence.

    Raises ``FenceLost`` when the execution is no longer ours, ``AlreadyDone`` when another one
    finished the same work; the transaction rolls back with either.
    """
    execution = await hold_fence(tx, claimed)
    ended = partial(_end, tx, registry, execution, claimed.fence)
    match output:
        case PlainResult(metrics=metrics):
            return await ended(EventType.COMPLETED, dict(metrics))
        case NothingToDo(capture=capture, reason=reason):
            result = {"capture_id": capture.capture_id, "reason": reason}
            return await ended(EventType.SKIPPED, result, capture)
        case StageResult():
            return await _commit_result(tx, execution, output, ended)


async def _commit_result(
    tx: Transaction, execution: Execution, output: StageResult, ended: _End
) -> Execution:
    force = bool(execution.params.get("force", False))
    capture, is_new = await _capture(tx, execution, output.capture, force=force)
    if not is_new:
        result = {
            "capture_id": capture.capture_id,
            "reason": "the same content was captured before",
        }
        return await ended(EventType.SKIPPED, result, capture)
    if force:
        await tx.manifest.reopen(capture, execution.stage, list(output.versions))
    # The manifest first: two concurrent runs of the same work meet here, before either loads.
    fresh = await tx.manifest.complete(
        capture, execution.stage, output.versions, execution.execution_id, output.object_key
    )
    for load in output.loads:
        if load.version not in fresh:
            continue
        if force:
            await tx.tables.clear(load.dataset, capture)
        await tx.tables.load(load.dataset, capture, load.frame)
    if force or not output.rejected.is_empty():
        await tx.evidence.rejects(capture, execution.stage, output.rejected)
    await tx.evidence.checks(
        capture, execution.stage, output.checks, execution.execution_id, afresh=force
    )
    failed = [check.name for check in output.checks if check.failed]
    made = {"capture_id": capture.capture_id, **output.metrics, "failed_checks": failed}
    return await ended(EventType.COMPLETED, made, capture)


async def _capture(
    tx: Transaction, execution: Execution, capture: Capture | NewCapture, *, force: bool
) -> tuple[Capture, bool]:
    if isinstance(capture, Capture):
        return capture, True
    return await tx.captures.admit(capture, execution.execution_id, force=force)


async def _end(  # noqa: PLR0913, PLR0917 - an end is all of this
    tx: Transaction,
    registry: Registry,
    execution: Execution,
    fence: Fence,
    event: EventType,
    result: dict[str, Any],
    capture: Capture | None = None,
) -> Execution:
    # Whose work it is: the ledger shows that it was the last one's to take the execution up.
    payload: dict[str, Any] = {"result": result, "fence": fence}
    if capture is not None:
        payload["partition_key"] = capture.partition.key
    ended = await tx.ledger.record(execution, event, payload)
    await tx.ledger.release(execution.execution_id)
    if event is EventType.COMPLETED and capture is not None:
        message = partition_event(ended, capture.partition.key, result)
        if message is not None:
            await tx.outbox.add(message)
    await workflow.follow(tx, registry, ended)
    return ended


async def skip(
    tx: Transaction, registry: Registry, claimed: Execution, output: StageResult, reason: str
) -> Execution:
    """End an execution whose work another one has finished meanwhile."""
    execution = await hold_fence(tx, claimed)
    capture = output.capture
    if not isinstance(capture, Capture):
        latest = await tx.captures.latest(capture.partition)
        assert latest is not None, "work that is done has a capture"  # noqa: S101 - invariant
        capture = latest
    result = {"capture_id": CaptureId(capture.capture_id), "reason": reason}
    skipped = EventType.SKIPPED
    return await _end(tx, registry, execution, claimed.fence, skipped, result, capture)
