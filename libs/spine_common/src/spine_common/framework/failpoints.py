"""Named places where the chaos suite makes a process die, wait or fail; unarmed they are nothing.

No setting and no environment variable of the product arms one: only the launcher in
``testing.chaos`` does, in processes it starts itself.
"""

from collections.abc import Awaitable, Callable
from enum import StrEnum


class Failpoint(StrEnum):
    """Between which two facts a process can be cut down."""

    CLAIM_COMMITTED = "claim.committed"
    """The ledger says started; no work has begun."""
    LEASE_RENEWED = "lease.renewed"
    """A heartbeat has written the lease's new end, not committed it."""
    WORK_DONE = "work.done"
    """The stage returned its result; nothing of it is written."""
    COMMIT_BEFORE = "commit.before"
    """Everything is written, nothing committed."""
    COMMIT_AFTER = "commit.after"
    """Committed; the worker has not heard it yet (raising here is a lost reply)."""
    FAILURE_RECORDED = "failure.recorded"
    """``failed`` is committed; the message is not rejected yet."""
    ACK_BEFORE = "ack.before"
    """The delivery is handled; the broker has not heard it yet."""
    RELAY_PUBLISHED = "relay.published"
    """The broker confirmed; the outbox row is not marked."""
    LETTER_BEFORE = "letter.before"
    """A dead letter and its verdict are written, not committed."""
    LETTER_AFTER = "letter.after"
    """They are committed; the dead letter is not acked."""
    RETRY_AFTER = "retry.after"
    """A manual retry is committed; who asked has not heard it."""
    CANCEL_BETWEEN = "cancel.between"
    """A parent is cancelled, its children are not yet."""


Action = Callable[[], Awaitable[None]]

_armed: dict[Failpoint, Action] = {}


def arm(actions: dict[Failpoint, Action]) -> None:
    """Let ``actions`` happen at their places from now on, in place of earlier ones."""
    _armed.clear()
    _armed.update(actions)


async def reached(place: Failpoint) -> None:
    """Pass a named place; what is armed there happens."""
    if _armed and (action := _armed.get(place)) is not None:
        await action()
