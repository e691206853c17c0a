"""What becomes of a delivery when its handler ends, whichever way it ends."""

import asyncio

import structlog

from spine_common.framework.ports.bus import Delivery, Handler, Verdict

log = structlog.get_logger(__name__)


async def verdict_of(handler: Handler, delivery: Delivery) -> Verdict:
    """Run the handler; one that raises, or answers with no verdict, has rejected.

    Only a cancellation of the running task itself goes through: then nobody has decided, and
    the delivery comes again.
    """
    try:
        return Verdict(await handler(delivery))
    except asyncio.CancelledError:
        if is_being_cancelled():
            raise
        # The handler let the cancellation of something it waited for escape. Taken for our own
        # it would leave the message neither acked nor rejected until the connection ends.
        log.exception("delivery rejected: a cancellation escaped", **_context(delivery))
    except Exception:
        log.exception("delivery rejected: its handler raised", **_context(delivery))
    return Verdict.REJECT


def is_being_cancelled() -> bool:
    """Say whether the running task was asked to stop, as opposed to something it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _context(delivery: Delivery) -> dict[str, object]:
    return {
        "queue": delivery.queue,
        "message_id": delivery.message_id,
        "redelivered": delivery.redelivered,
    }
