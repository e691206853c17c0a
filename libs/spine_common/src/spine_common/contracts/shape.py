"""What a message looks like, in a few words: its type, or what it is instead of a message."""

from spine_common.contracts.envelope import decode
from spine_common.contracts.message import MAX_MESSAGE_BYTES
from spine_common.core.errors import PoisonMessage
from spine_common.core.texts import storable

_LONGEST_TYPE = 100


def shape_of(body: bytes) -> str:
    """Name a message's shape, so that many of one cause fall into one group."""
    if len(body) > MAX_MESSAGE_BYTES:
        return "too large"
    try:
        return storable(decode(body).type)[:_LONGEST_TYPE]
    except PoisonMessage as poison:
        if not _is_text(body):
            return "no UTF-8"
        return "no JSON" if "no JSON" in poison.message else "JSON, no CloudEvent"


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
