"""What follows a finished execution: the workflow's next step, or its parent's end."""

from collections.abc import Mapping, Sequence
from typing import Any

from spine_common.contracts.commands import command_message
from spine_common.core.execution import TERMINAL, EventType, Execution, Status
from spine_common.core.ids import ExecutionId, child_execution_id
from spine_common.core.pipeline import Pipeline, Stage, TriggerSource
from spine_common.framework.ports.database import Transaction
from spine_common.framework.ports.ledger import NewExecution
from spine_common.framework.registry import Registry

# Handed down from a step to the next; what else a step took is its own business.
_CARRIED = ("force",)
STEP = "step:"


def step_key(execution_id: ExecutionId) -> str:
    """Return the logical key of a step, which is its parent's own and equals no other order."""
    return f"{STEP}{execution_id}"


async def order(tx: Transaction, execution: Execution, *, delay: float = 0.0) -> None:
    """Put the command for an execution's present attempt into the outbox, due after ``delay``."""
    message = command_message(execution)
    await tx.outbox.add(message, execution_id=execution.execution_id, delay=delay)


async def begin(tx: Transaction, registry: Registry, parent: Execution) -> None:
    """Order a workflow's first step; the workflow runs from when that step does."""
    first = registry.pipeline(registry.pipeline(parent.pipeline).steps[0])
    taken = {param.name for param in first.params}
    params = {name: value for name, value in parent.params.items() if name in taken}
    await add_child(tx, registry, parent, first, params, step=first.name)


async def note_start(tx: Transaction, child: Execution) -> None:
    """Say that a parent runs, once the first of its children was claimed."""
    if child.parent_id is None:
        return
    parent = await tx.ledger.get(child.parent_id)
    if parent is None or parent.status is not Status.PENDING:
        return
    locked = await tx.ledger.lock(child.parent_id)
    if locked is not None and locked.execution.status is Status.PENDING:
        await tx.ledger.record(locked.execution, EventType.STARTED)


async def add_child(  # noqa: PLR0913 - a child is all of this
    tx: Transaction,
    registry: Registry,
    parent: Execution,
    pipeline: Pipeline,
    params: Mapping[str, Any],
    *,
    step: str,
) -> None:
    """Order a step of a parent, once: its id is derived from parent and step."""
    partition = pipeline.partition.of_or_none(params) if pipeline.partition else None
    execution_id = child_execution_id(parent.execution_id, step)
    child, is_new = await tx.ledger.submit(
        NewExecution(
            execution_id=execution_id,
            pipeline=pipeline.name,
            stage=pipeline.stage,
            domain=registry.domain_of(pipeline.name).name,
            lane=parent.lane,
            params=dict(params),
            partition_key=partition.key if partition else None,
            # A step is its parent's own: another order for the same partition must not stand in
            # for it. The manifest sees to it that the work is done once.
            logical_key=step_key(execution_id),
            trigger_source=TriggerSource.WORKFLOW,
            parent_id=parent.execution_id,
        )
    )
    if is_new:
        await order(tx, child)


async def follow(tx: Transaction, registry: Registry, ended: Execution) -> None:
    """Order what follows an execution that ended in this transaction, or end its parent."""
    if ended.parent_id is None:
        return
    if ended.trigger_source is TriggerSource.DLQ:
        await _follow_retry(tx, registry, ended, ended)
        return
    # Two last children finishing together each see the other as open without this lock.
    locked = await tx.ledger.lock(ended.parent_id)
    if locked is None:
        return
    parent = locked.execution
    if parent.trigger_source is TriggerSource.DLQ and parent.stage is not Stage.WORKFLOW:
        await _follow_retry(tx, registry, parent, ended)
    elif parent.status not in TERMINAL:
        await _go_on(tx, registry, parent, ended)


async def resume(tx: Transaction, registry: Registry, parent_id: ExecutionId) -> Execution | None:
    """Take a parent up whose children have all ended; return it as it stands then.

    None if it needs nothing: somebody else was first.
    """
    locked = await tx.ledger.lock(parent_id)
    if locked is None or locked.execution.status in TERMINAL:
        return None
    children = await tx.ledger.children(parent_id)
    if not children or any(child.is_open for child in children):
        return None
    steps = registry.pipeline(locked.execution.pipeline).steps
    # A step may be none of the workflow's any more: a release can rename or drop it.
    last = max(children, key=lambda one: steps.index(one.pipeline) if one.pipeline in steps else -1)
    await _go_on(tx, registry, locked.execution, last)
    return await tx.ledger.get(parent_id)


async def _go_on(tx: Transaction, registry: Registry, parent: Execution, ended: Execution) -> None:
    following = _next_step(registry.pipeline(parent.pipeline), ended)
    if following is not None:
        await _continue(tx, registry, parent, registry.pipeline(following), ended)
    elif not await tx.ledger.any_child_open(parent.execution_id):
        await _end(tx, registry, parent, await tx.ledger.children(parent.execution_id))


async def _follow_retry(
    tx: Transaction, registry: Registry, retry: Execution, ended: Execution
) -> None:
    """Go on with the workflow whose failed step was retried: the steps left are the retry's own.

    The workflow itself has ended, given up, and stays so.
    """
    above: Execution | None = retry
    while above is not None and above.parent_id is not None:
        above = await tx.ledger.get(above.parent_id)
        if above is not None and (workflow := registry.pipeline(above.pipeline)).steps:
            following = _next_step(workflow, ended)
            if following is not None:
                await _continue(tx, registry, retry, registry.pipeline(following), ended)
            return


def _next_step(workflow: Pipeline, ended: Execution) -> str | None:
    if ended.pipeline not in workflow.steps:
        return None
    if ended.status not in {Status.COMPLETED, Status.SKIPPED}:
        return None
    following = workflow.steps[workflow.steps.index(ended.pipeline) + 1 :]
    return following[0] if following else None


async def _continue(
    tx: Transaction, registry: Registry, parent: Execution, pipeline: Pipeline, ended: Execution
) -> None:
    kind = pipeline.partition
    known = kind.from_key(ended.partition_key).params() if kind and ended.partition_key else {}
    params = {**known, "capture_id": ended.result.get("capture_id")}
    params |= {name: parent.params[name] for name in _CARRIED if name in parent.params}
    await add_child(tx, registry, parent, pipeline, params, step=pipeline.name)


async def _end(
    tx: Transaction, registry: Registry, parent: Execution, children: Sequence[Execution]
) -> None:
    statuses = {child.status for child in children}
    payload: dict[str, Any] = {"result": {"children": len(children)}}
    keys = {child.partition_key for child in children if child.partition_key}
    if parent.stage is Stage.WORKFLOW and len(keys) == 1:
        payload["partition_key"] = keys.pop()
        payload["result"] |= {"capture_id": children[-1].result.get("capture_id")}
    if Status.DEAD_LETTERED in statuses:
        lost = next(child for child in children if child.status is Status.DEAD_LETTERED)
        event = EventType.DEAD_LETTERED
        payload = {"code": lost.error_code, "message": f"{lost.pipeline}: {lost.error}"}
    elif Status.CANCELLED in statuses:
        event = EventType.CANCELLED
    elif statuses == {Status.SKIPPED}:
        event = EventType.SKIPPED
    else:
        event = EventType.COMPLETED
    if parent.status is Status.PENDING:
        # Its children ended without any of them having been run.
        parent = await tx.ledger.record(parent, EventType.STARTED)
    ended = await tx.ledger.record(parent, event, payload)
    await follow(tx, registry, ended)
