"""The envelope around every message: CloudEvents 1.0 in JSON."""

from datetime import datetime
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from spine_common.contracts.message import MAX_MESSAGE_BYTES
from spine_common.core.errors import OversizedMessage, PoisonMessage


class Envelope(BaseModel):
    """A CloudEvent; ``data`` is checked by the message type's own model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: str
    type: str
    source: str
    subject: str | None = None
    time: datetime
    datacontenttype: Literal["application/json"] = "application/json"
    data: dict[str, Any]


def encode(envelope: Envelope) -> bytes:
    """Return the bytes to publish; ``OversizedMessage`` over 64 KiB."""
    body = orjson.dumps(envelope.model_dump(mode="json", exclude_none=True))
    if len(body) > MAX_MESSAGE_BYTES:
        raise OversizedMessage(
            f"{envelope.type} has {len(body):,} bytes, over {MAX_MESSAGE_BYTES:,}.",
            remedy="Pass bulk data by reference through the object store.",
        )
    return body


def decode(body: bytes) -> Envelope:
    """Read published bytes; every way they can be wrong is a ``PoisonMessage`` that says which."""
    if len(body) > MAX_MESSAGE_BYTES:
        raise OversizedMessage(f"The message has {len(body):,} bytes, over {MAX_MESSAGE_BYTES:,}.")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PoisonMessage(f"The message is no JSON: {error}.") from error
    try:
        return Envelope.model_validate(content)
    except ValidationError as error:
        raise PoisonMessage(f"The message is no CloudEvent: {first_fault(error)}.") from error


def first_fault(error: ValidationError) -> str:
    """Say in one line what a model did not accept first."""
    fault = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in fault["loc"]) or "the whole"
    return f"{where}: {fault['msg']}"
