"""A message as the outbox keeps it and a bus carries it: bytes, with an address and an id."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from spine_common.core.ids import MessageId

MAX_MESSAGE_BYTES = 64 * 1024
"""Commands and events stay small: bulk travels through the object store, by key."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is published: ``body`` is a CloudEvent in JSON, ``headers`` carry the trace context."""

    message_id: MessageId
    type: str
    exchange: str
    routing_key: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
