"""Who may work on an execution: a lease to begin, a heartbeat to go on, a fence to commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from spine_common.contracts.commands import Command
from spine_common.core.errors import FenceLost, Kind, LeaseExpired, PoisonMessage, Unavailable
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import Fence
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.outcome import Failed, PutBack, Stale
from spine_common.framework.ports.database import Database, Transaction
from spine_common.framework.ports.ledger import Locked
from spine_common.framework.verdict import UNDELIVERABLE, fail

log = structlog.get_logger(__name__)

_CLAIMABLE = frozenset({Status.PENDING, Status.QUEUED, Status.RETRY_SCHEDULED, Status.RUNNING})
_SUSPICIOUS = frozenset({LeaseExpired.code, UNDELIVERABLE})


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long a lease lasts, how often it is renewed, how long a stage may take; seconds.

    ``starts`` is how many workers may be lost over one attempt, one after the other, before it
    counts as failed: a command that kills its worker is not taken over for ever. A worker that
    was asked to stop has let go, and is none of them.
    """

    seconds: float = 60.0
    heartbeat: float = 10.0
    deadline: float = 900.0
    starts: int = 3


@dataclass(frozen=True, slots=True)
class Suspect:
    """A worker was lost over the execution before. It is not begun beside others."""


async def claim(
    tx: Transaction, command: Command, owner: str, terms: LeaseTerms, *, alone: bool
) -> Execution | Stale | PutBack | Failed | Suspect:
    """Take the execution over: fence + 1, lease, ``started``; or say why it is not to be run.

    Accepts ``pending``, too: a consumer can be faster than the relay's mark. An attempt that
    failed already is rejected again: its worker may have died before the broker heard of it.
    ``alone`` says that this process handles no other command until this one has ended.
    """
    locked = await tx.ledger.lock(command.execution_id)
    if locked is None:
        raise PoisonMessage(f"The ledger has no execution {command.execution_id}.")
    execution = locked.execution
    if (execution.pipeline, execution.stage) != (command.pipeline, command.stage):
        raise PoisonMessage(
            f"Execution {command.execution_id} is one of {execution.pipeline},"
            f" not of {command.pipeline}."
        )
    turned_away = await _turn_away(tx, locked, command, terms)
    if turned_away is not None:
        return turned_away
    if not alone and await _has_lost_a_worker(tx, locked):
        # Its command has arrived: sweepers are not to take it for lost while it waits.
        await tx.ledger.note_sent(execution.execution_id)
        return Suspect()
    fence = Fence(execution.fence + 1)
    payload: dict[str, Any] = {"attempt": execution.attempt, "fence": fence, "owner": owner}
    if execution.status is Status.RUNNING and locked.lease_owner:
        payload["lost"] = locked.lease_owner
    started = await tx.ledger.record(execution, EventType.STARTED, payload)
    await tx.ledger.set_lease(execution.execution_id, owner, terms.seconds)
    return started


async def _turn_away(
    tx: Transaction, locked: Locked, command: Command, terms: LeaseTerms
) -> Stale | PutBack | Failed | None:
    """Return why nobody is to begin it now, if there is a reason.

    An attempt that has lost as many workers as it may fails here.
    """
    execution = locked.execution
    if execution.attempt != command.attempt:
        return Stale(f"attempt {command.attempt} was followed by {execution.attempt}")
    if execution.status is Status.FAILED:
        return await _failure_of(tx, execution)
    if execution.status not in _CLAIMABLE:
        return Stale(f"it is {execution.status}")
    if execution.status is Status.RUNNING:
        if locked.lease_seconds_left > 0:
            return PutBack(locked.lease_seconds_left)
        if locked.lease_owner and await _lost(tx, execution) + 1 >= terms.starts:
            failed = await fail_expired(tx, execution)
            return await _failure_of(tx, failed)
    return None


async def _lost(tx: Transaction, execution: Execution) -> int:
    """Return how many workers the present attempt has lost before."""
    events = await tx.ledger.events(execution.execution_id)
    started = (event.payload for event in events if event.type is EventType.STARTED)
    return sum("lost" in said and said["attempt"] == execution.attempt for said in started)


async def _has_lost_a_worker(tx: Transaction, locked: Locked) -> bool:
    """Whether whoever worked on it vanished, in any attempt or in what it is a retry of."""
    execution = locked.execution
    if execution.status is Status.RUNNING and locked.lease_owner:
        return True
    # Nobody has been at one that is new: the ledger is not asked for its events.
    is_new = not execution.fence and execution.attempt == 1
    asked = [] if is_new else [execution.execution_id]
    if execution.trigger_source is TriggerSource.DLQ and execution.parent_id:
        asked.append(execution.parent_id)
    events = [event for one in asked for event in await tx.ledger.events(one)]
    return any(
        "lost" in event.payload or event.payload.get("code") in _SUSPICIOUS for event in events
    )


async def fail_expired(tx: Transaction, execution: Execution) -> Execution:
    """Record that the attempt of a locked execution failed with its worker."""
    expired = LeaseExpired("Whoever worked on it stopped renewing the lease.")
    return await fail(tx, execution, expired.kind, expired.code, expired.message)


async def _failure_of(tx: Transaction, execution: Execution) -> Failed:
    said = (await tx.ledger.events(execution.execution_id))[-1].payload
    return Failed(execution.execution_id, Kind(said["kind"]), said["code"], said["message"])


async def hold_fence(tx: Transaction, claimed: Execution) -> Execution:
    """Lock the execution for the commit; ``FenceLost`` when it is no longer ours to write."""
    locked = await tx.ledger.lock(claimed.execution_id)
    if locked is None or locked.execution.fence != claimed.fence:
        raise FenceLost(f"Another worker has taken execution {claimed.execution_id} over.")
    if locked.execution.status is not Status.RUNNING:
        raise FenceLost(f"Execution {claimed.execution_id} is {locked.execution.status} already.")
    return locked.execution


@asynccontextmanager
async def heartbeat(
    database: Database, claimed: Execution, terms: LeaseTerms
) -> AsyncIterator[None]:
    """Renew the lease while the block runs; cancel the block when the lease is lost.

    Raises ``FenceLost`` in that case, so that a cancelled or overtaken stage stops early. The
    fence at the commit is what protects the data; this only saves work.
    """
    worker = asyncio.current_task()
    cancelling = worker.cancelling() if worker else 0
    lost = asyncio.Event()

    async def beat() -> None:
        while True:
            await asyncio.sleep(terms.heartbeat)
            try:
                async with database.transaction() as tx:
                    kept = await tx.ledger.renew(claimed.execution_id, claimed.fence, terms.seconds)
                    await reached(Failpoint.LEASE_RENEWED)
            except Unavailable as error:
                log.warning("heartbeat_failed", error=str(error))
                continue
            if not kept and worker is not None:
                lost.set()
                worker.cancel("lease lost")
                return

    beating = asyncio.create_task(beat(), name=f"heartbeat-{claimed.execution_id}")
    try:
        yield
    except asyncio.CancelledError:
        if not lost.is_set() or worker is None:
            raise
        if worker.cancelling() > cancelling + 1:
            raise  # somebody else asked for it, too
        raise FenceLost(f"The lease on execution {claimed.execution_id} was lost.") from None
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        # The block may have turned our cancellation into another error.
        if lost.is_set() and worker is not None and worker.cancelling() > cancelling:
            worker.uncancel()
