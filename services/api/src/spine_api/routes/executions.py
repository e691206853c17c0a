"""Executions: order a run, follow it, read what happened to it."""

import re
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from spine_api.errors import DuplicateInProgress, naming_values
from spine_api.params import checked_key, checked_params
from spine_api.schemas.errors import failures
from spine_api.schemas.executions import (
    ChildList,
    EventAnswer,
    EventList,
    ExecutionAnswer,
    ExecutionList,
    Submission,
)
from spine_api.wiring import Composed
from spine_common.core.errors import ExecutionNotFound
from spine_common.core.execution import Execution, Status
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.ports.database import Transaction
from spine_common.framework.ports.ledger import NewExecution

router = APIRouter(prefix="/executions", tags=["executions"])

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_IdempotencyKey = Annotated[
    str | None,
    Header(description="Makes a repeated order the same execution, also after that has ended."),
]


class ExecutionQuery(BaseModel):
    """Which executions are asked for."""

    model_config = ConfigDict(extra="forbid")

    status: Status | None = Field(None, description="Where they stand.")
    pipeline: str | None = Field(
        None, max_length=200, description="Name or alias of their pipeline."
    )
    limit: int = Field(50, ge=1, le=1000, description="How many at most.")


@router.post(
    "",
    status_code=202,
    summary="Order a run of a pipeline.",
    responses=failures(400, 404, 409, 413, 503),
)
async def submit_execution(
    order: Submission,
    response: Response,
    platform: Composed,
    idempotency_key: _IdempotencyKey = None,
) -> ExecutionAnswer:
    """Record an order and return its execution; poll `poll_url` for what becomes of it.

    An open execution for the same pipeline, partition and parameters, or with the same
    `logical_key`, is returned instead of a second one; one with the same `Idempotency-Key`
    always is.
    """
    logical_key = checked_key("logical_key", order.logical_key)
    idempotency_key = checked_key("Idempotency-Key", idempotency_key)
    with naming_values(order.params):
        params = checked_params(order.params)
        wanted = platform.dispatcher.prepare(
            order.pipeline, params, order.lane, TriggerSource.API, logical_key, idempotency_key
        )
    execution = await platform.dispatcher.record(wanted)
    _check_same(execution, wanted)
    answer = ExecutionAnswer.of(execution)
    response.headers["Location"] = answer.poll_url
    return answer


@router.get("", summary="List the newest executions.", responses=failures(400, 404, 503))
async def list_executions(
    query: Annotated[ExecutionQuery, Query()], platform: Composed
) -> ExecutionList:
    """Return executions, newest first."""
    pipeline = platform.registry.pipeline(query.pipeline).name if query.pipeline else None
    async with platform.database.reading() as tx:
        found = await tx.ledger.recent(status=query.status, pipeline=pipeline, limit=query.limit)
    return ExecutionList(executions=[ExecutionAnswer.of(execution) for execution in found])


@router.get(
    "/{execution_id}", summary="Show how an execution stands.", responses=failures(404, 503)
)
async def get_execution(execution_id: str, platform: Composed) -> ExecutionAnswer:
    """Return an execution."""
    async with platform.database.reading() as tx:
        return ExecutionAnswer.of(await _existing(tx, execution_id))


@router.get(
    "/{execution_id}/events", summary="Show what happened to it.", responses=failures(404, 503)
)
async def list_events(execution_id: str, platform: Composed) -> EventList:
    """Return the events of an execution in sequence."""
    async with platform.database.reading() as tx:
        found = await _existing(tx, execution_id)
        events = await tx.ledger.events(found.execution_id)
    return EventList(
        execution_id=found.execution_id, events=[EventAnswer.of(event) for event in events]
    )


@router.get("/{execution_id}/children", summary="Show its steps.", responses=failures(404, 503))
async def list_children(execution_id: str, platform: Composed) -> ChildList:
    """Return the executions that belong to a workflow or a fan-out, oldest first."""
    async with platform.database.reading() as tx:
        found = await _existing(tx, execution_id)
        children = await tx.ledger.children(found.execution_id)
    return ChildList(
        execution_id=found.execution_id, children=[ExecutionAnswer.of(child) for child in children]
    )


async def _existing(tx: Transaction, execution_id: str) -> Execution:
    found = None
    if _ID.fullmatch(execution_id):
        found = await tx.ledger.get(ExecutionId(execution_id.lower()))
    if found is None:
        raise ExecutionNotFound(
            f"There is no execution {execution_id[:80]!r}.",
            remedy="GET /executions lists the newest ones.",
        )
    return found


def _check_same(execution: Execution, wanted: NewExecution) -> None:
    # A key must not turn one order into another: the caller would wait for the wrong thing.
    if (execution.pipeline, execution.params) != (wanted.pipeline, wanted.params):
        raise DuplicateInProgress(
            f"The key belongs to {execution.pipeline} with other parameters, which is"
            f" {execution.status}.",
            remedy="Use another key.",
            execution_id=execution.execution_id,
            pipeline=execution.pipeline,
        )
