"""What things look like in the JSON the commands print: the words of the API."""

from typing import Any

from spine_common.core.capture import Capture
from spine_common.core.execution import Event, Execution
from spine_common.core.pipeline import Pipeline


def execution_document(execution: Execution) -> dict[str, Any]:
    """Return one recorded run, as it stands."""
    return {
        "id": execution.execution_id,
        "execution_id": execution.execution_id,
        "status": execution.status,
        "pipeline": execution.pipeline,
        "stage": execution.stage,
        "domain": execution.domain,
        "params": dict(execution.params),
        "lane": execution.lane,
        "partition": execution.partition_key,
        "logical_key": execution.logical_key,
        "trigger_source": execution.trigger_source,
        "parent_id": execution.parent_id,
        "attempt": execution.attempt,
        "created_at": execution.created_at,
        "started_at": execution.started_at,
        "completed_at": execution.completed_at,
        "error_code": execution.error_code,
        "error": execution.error,
        "result": dict(execution.result),
    }


def event_document(event: Event) -> dict[str, Any]:
    """Return one ledger fact."""
    return {"seq": event.seq, "type": event.type, "at": event.at, "payload": dict(event.payload)}


def capture_document(capture: Capture) -> dict[str, Any]:
    """Return one vintage of a partition."""
    return {
        "capture_id": capture.capture_id,
        "domain": capture.partition.domain,
        "partition": capture.partition.key,
        "version": capture.version,
        "captured_at": capture.captured_at,
        "source_name": capture.source_name,
        "source_updated_on": capture.source_updated_on,
        "content_sha256": capture.content_sha256,
        "rows": capture.rows,
    }


def pipeline_document(pipeline: Pipeline, domain: str) -> dict[str, Any]:
    """Return what can be run, and with which parameters."""
    return {
        "name": pipeline.name,
        "description": pipeline.description,
        "domain": domain,
        "stage": pipeline.stage,
        "aliases": list(pipeline.aliases),
        "steps": list(pipeline.steps),
        "partition": list(pipeline.partition.names) if pipeline.partition else [],
        "params": [
            {
                "name": param.name,
                "description": param.description,
                "type": param.type,
                "required": param.required,
                "default": param.default,
                "choices": list(param.choices),
            }
            for param in pipeline.params
        ],
    }
