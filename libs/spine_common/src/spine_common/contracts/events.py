"""Events for outsiders: what became true about a partition, published to ``spine.events``."""

import uuid
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from spine_common.contracts.envelope import Envelope, encode
from spine_common.contracts.message import Message
from spine_common.contracts.routing import EVENTS_EXCHANGE
from spine_common.core.clock import utc_now
from spine_common.core.execution import Execution
from spine_common.core.ids import MessageId
from spine_common.core.pipeline import Stage

_NAMESPACE = uuid.UUID("0f4f0b34-9d0b-5a53-8f4e-3a2b6f4c8d11")


class PartitionEvent(StrEnum):
    """What a subscriber can hear about a partition."""

    CAPTURED = "partition.captured"
    NORMALIZED = "partition.normalized"
    AGGREGATED = "partition.aggregated"


EVENT_OF_STAGE = {
    Stage.INGEST: PartitionEvent.CAPTURED,
    Stage.NORMALIZE: PartitionEvent.NORMALIZED,
    Stage.AGGREGATE: PartitionEvent.AGGREGATED,
}


def partition_event(
    execution: Execution, partition_key: str, result: Mapping[str, Any]
) -> Message | None:
    """Return the event a completed stage publishes; None for a stage nobody outside waits for."""
    event = EVENT_OF_STAGE.get(execution.stage)
    if event is None:
        return None
    message_id = MessageId(str(uuid.uuid5(_NAMESPACE, f"{execution.execution_id}/{event}")))
    envelope = Envelope(
        id=message_id,
        type=f"spine.event.{event}.v1",
        source="/spine",
        subject=f"{execution.domain}/{partition_key}",
        time=utc_now(),
        data={
            "domain": execution.domain,
            "partition": partition_key,
            "execution_id": execution.execution_id,
            "result": dict(result),
        },
    )
    return Message(
        message_id=message_id,
        type=envelope.type,
        exchange=EVENTS_EXCHANGE,
        routing_key=f"{event}.{execution.domain}",
        body=encode(envelope),
    )
