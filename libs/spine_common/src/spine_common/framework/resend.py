"""Sends a message that never became an execution once more, as it came."""

import uuid

from spine_common.contracts.message import MAX_MESSAGE_BYTES, Message
from spine_common.contracts.routing import COMMANDS_EXCHANGE
from spine_common.contracts.shape import shape_of
from spine_common.core.errors import NotRetryable
from spine_common.core.ids import MessageId
from spine_common.framework.ports.database import Transaction
from spine_common.framework.ports.deadletters import KeptLetter

_NAMESPACE = uuid.UUID("b2b0c9a4-3d0e-5b43-9f0a-6c3f6c1f7e11")


async def send_again(tx: Transaction, letter: KeptLetter, delay: float) -> None:
    """Send a locked letter's message once more, byte for byte, to where it was sent first.

    Raises ``NotRetryable`` if it is too big or does not say where that was.
    """
    if len(letter.body) > MAX_MESSAGE_BYTES:
        raise NotRetryable(
            f"The message has {len(letter.body):,} bytes, over {MAX_MESSAGE_BYTES:,}.",
            remedy="Discard it, and order what it was about.",
        )
    routing_key = _routing_key(letter)
    if routing_key is None:
        raise NotRetryable(
            f"Dead letter {letter.dead_letter_id} does not say where it was sent.",
            remedy="Discard it, and order what it was about.",
        )
    # Each time it came back it may be sent once more, and no broker may take that for a copy.
    name = f"{letter.dead_letter_id}/{letter.received_at.isoformat()}/{letter.seen}"
    message = Message(
        message_id=MessageId(str(uuid.uuid5(_NAMESPACE, name))),
        type=shape_of(letter.body),
        exchange=COMMANDS_EXCHANGE,
        routing_key=routing_key,
        body=letter.body,
        headers={k: v for k, v in letter.headers.items() if isinstance(v, str) and k[:2] != "x-"},
    )
    await tx.outbox.add(message, delay=delay)


def _routing_key(letter: KeptLetter) -> str | None:
    """Return where the message was sent before it died for the first time."""
    deaths = letter.headers.get("x-death")
    if not isinstance(deaths, list) or not deaths or not isinstance(deaths[-1], dict):
        return None
    death = deaths[-1]
    keys = death.get("routing-keys")
    sent_to_commands = death.get("exchange") == COMMANDS_EXCHANGE
    return str(keys[0]) if sent_to_commands and isinstance(keys, list) and keys else None
