"""Executions as JSON: an order, a run as it stands, its events and its children."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from spine_common.core import execution as ledger
from spine_common.core.execution import Status
from spine_common.core.pipeline import Lane, Stage, TriggerSource
from spine_common.observability.redaction import hide_credentials

POLL = "/api/v1/executions/"
_WEEK: dict[str, JsonValue] = {"week_ending": "2025-11-14", "tier": "OTC"}
_ID = "019a8e4c-7d1e-7c4b-9c55-5a1e0c0d2b11"


class Submission(BaseModel):
    """An order: which pipeline, with which parameters."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "pipeline": "finra.otc_transparency.process_week",
                    "params": {**_WEEK, "file_path": "finra_otc_weekly_otc_20251215.csv"},
                },
                {"pipeline": "otc.normalize", "params": _WEEK, "lane": "backfill"},
            ]
        },
    )

    pipeline: str = Field(
        max_length=200, description="Name or alias of the pipeline; also spelled `pipeline_name`."
    )
    params: dict[str, JsonValue] = Field(
        default_factory=dict, description="Its parameters, as `GET /pipelines/{name}` lists them."
    )
    lane: Lane = Field(Lane.NORMAL, description="Which queue it waits in.")
    logical_key: str | None = Field(
        None, description="As long as an order of this key is open, it stands for new ones."
    )

    @model_validator(mode="before")
    @classmethod
    def _take_other_spelling(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "pipeline_name" not in given:
            return given
        named = dict(given)
        name = named.pop("pipeline_name")
        if named.setdefault("pipeline", name) != name:
            raise ValueError("pipeline and pipeline_name differ: give one of them")
        return named


class ExecutionAnswer(BaseModel):
    """One recorded run, as it stands."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "execution_id": _ID,
                    "status": "pending",
                    "poll_url": f"{POLL}{_ID}",
                    "pipeline": "finra.otc_transparency.ingest_week",
                    "stage": "ingest",
                    "domain": "finra.otc_transparency",
                    "params": {**_WEEK, "file_path": "finra_otc_weekly_otc_20251215.csv"},
                    "lane": "normal",
                    "partition": "week_ending=2025-11-14/tier=OTC",
                    "logical_key": "finra.otc_transparency.ingest_week[…]#5f1c0a52e7b9d3aa",
                    "trigger_source": "api",
                    "parent_id": None,
                    "attempt": 1,
                    "created_at": "2025-12-15T14:02:11.408Z",
                    "started_at": None,
                    "completed_at": None,
                    "error_code": None,
                    "error": None,
                    "result": {},
                }
            ]
        }
    )

    id: str
    execution_id: str = Field(description="The same as `id`.")
    status: Status
    poll_url: str = Field(description="Where to ask how it goes on.")
    pipeline: str
    stage: Stage
    domain: str
    params: dict[str, Any] = Field(description="In canonical form.")
    lane: Lane
    partition: str | None = Field(description="Key of the partition, when it is about one.")
    logical_key: str
    trigger_source: TriggerSource
    parent_id: str | None = Field(description="The workflow or fan-out it is a step of.")
    attempt: int
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error_code: str | None
    error: str | None
    result: dict[str, Any] = Field(description="What it made: capture, row counts, failed checks.")

    @classmethod
    def of(cls, execution: ledger.Execution) -> Self:
        """Show an execution."""
        return cls(
            id=execution.execution_id,
            execution_id=execution.execution_id,
            status=execution.status,
            poll_url=POLL + execution.execution_id,
            pipeline=execution.pipeline,
            stage=execution.stage,
            domain=execution.domain,
            params=dict(execution.params),
            lane=execution.lane,
            partition=execution.partition_key,
            logical_key=execution.logical_key,
            trigger_source=execution.trigger_source,
            parent_id=execution.parent_id,
            attempt=execution.attempt,
            created_at=execution.created_at,
            started_at=execution.started_at,
            completed_at=execution.completed_at,
            error_code=execution.error_code,
            error=hide_credentials(execution.error) if execution.error else None,
            result=dict(execution.result),
        )


class ExecutionList(BaseModel):
    """Executions, newest first."""

    executions: list[ExecutionAnswer]


class ChildList(BaseModel):
    """The steps of a workflow or fan-out, oldest first."""

    execution_id: str
    children: list[ExecutionAnswer]


class EventAnswer(BaseModel):
    """A ledger fact about an execution."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "seq": 3,
                    "type": "completed",
                    "at": "2025-12-15T14:02:12.031Z",
                    "payload": {"result": {"rows": 5328, "failed_checks": []}},
                }
            ]
        }
    )

    seq: int
    type: ledger.EventType
    at: datetime
    payload: dict[str, Any]

    @classmethod
    def of(cls, event: ledger.Event) -> Self:
        """Show an event."""
        return cls(seq=event.seq, type=event.type, at=event.at, payload=dict(event.payload))


class EventList(BaseModel):
    """Everything that happened to an execution, in sequence from 1."""

    execution_id: str
    events: list[EventAnswer]
