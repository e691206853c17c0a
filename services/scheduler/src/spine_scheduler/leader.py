"""Who does the chores: the one process that holds the office, for one turn at a time."""

import asyncio
import time

import structlog

from spine_common.bootstrap.platform import Platform
from spine_common.core.errors import SpineError
from spine_scheduler.sweepers import commands, leases, parents, topology, verdicts
from spine_scheduler.sweepers.sweep import Chore, Sweep

log = structlog.get_logger(__name__)

OFFICE = "sweeper"
TURN_SECONDS = 50.0
CHORES: tuple[tuple[str, Chore], ...] = (
    ("topology", topology.sweep),
    ("leases", leases.sweep),
    ("verdicts", verdicts.sweep),
    ("commands", commands.sweep),
    ("parents", parents.sweep),
)


async def sweep_for_good(platform: Platform) -> None:
    """Take a turn at the chores every ``sweep_seconds``, unless another process is at it."""
    settings = platform.settings
    sweep = Sweep(platform, settings.sweep_patience_seconds)
    while True:
        began = time.monotonic()
        try:
            async with asyncio.timeout(TURN_SECONDS), platform.database.leading(OFFICE) as leads:
                if leads:
                    await take_turn(sweep)
        except (SpineError, TimeoutError) as error:
            log.warning("sweeper_waits", error=str(error) or type(error).__name__)
        except Exception:
            # One bad turn must not end the turns to come.
            log.exception("sweeper_stumbled")
        passed = time.monotonic() - began
        await asyncio.sleep(max(0.1, settings.sweep_seconds - passed))


async def take_turn(sweep: Sweep) -> dict[str, int]:
    """Do every chore once; one that can't be done does not keep the others from it."""
    moved: dict[str, int] = {}
    for name, chore in CHORES:
        try:
            moved[name] = await chore(sweep)
        except SpineError as error:
            log.warning("chore_failed", chore=name, code=error.code, error=str(error))
        except Exception:
            log.exception("chore_stumbled", chore=name)
    if any(moved.values()):
        log.info("swept", **{name: count for name, count in moved.items() if count})
    return moved
