"""Queues and bindings somebody deleted from a live broker: declared again."""

import structlog

from spine_scheduler.sweepers.sweep import Sweep

log = structlog.get_logger(__name__)


async def sweep(it: Sweep) -> int:
    """Declare the topology, which changes nothing where it is whole.

    The declaration belongs to a job of the deployment; this is for the day after it, when no
    person is there. What a deleted queue held comes back by the sweeper of lost commands.
    """
    await it.platform.bus.restore()
    return 0
