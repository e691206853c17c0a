"""How the things of the product are named, and how a name is derived instead of drawn."""

import secrets
import time
import uuid
from typing import NewType

ExecutionId = NewType("ExecutionId", str)
CaptureId = NewType("CaptureId", str)
CaptureNo = NewType("CaptureNo", int)
MessageId = NewType("MessageId", str)
Fence = NewType("Fence", int)

_NAMESPACE = uuid.UUID("7d1c2f57-3f4e-5b0a-9c55-5a1e0c0d2b11")


def new_execution_id() -> ExecutionId:
    """Draw a time-ordered id (UUID version 7), so that the ledger's index grows at its end."""
    milliseconds = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    return ExecutionId(str(uuid.UUID(int=value)))


def child_execution_id(parent: ExecutionId, step: str, generation: int = 1) -> ExecutionId:
    """Derive the id of a workflow's continuation, so that it can't be created twice."""
    return ExecutionId(str(uuid.uuid5(_NAMESPACE, f"{parent}/{step}/{generation}")))


def keyed_execution_id(idempotency_key: str) -> ExecutionId:
    """Derive the id of the execution an idempotency key stands for, now and ever after."""
    return ExecutionId(str(uuid.uuid5(_NAMESPACE, f"key:{idempotency_key}")))


def command_message_id(execution: ExecutionId, attempt: int) -> MessageId:
    """Derive a command's message id: a message is one attempt of one execution."""
    return MessageId(str(uuid.uuid5(_NAMESPACE, f"{execution}#{attempt}")))
