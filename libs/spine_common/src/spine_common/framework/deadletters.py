"""What becomes of a dead letter: kept whole, then tried again later or given up."""

from collections.abc import Callable

import stamina
import structlog

from spine_common.contracts.commands import Command, read_command
from spine_common.core.errors import DatabaseUnavailable, Kind, PoisonMessage
from spine_common.core.execution import EventType, Execution, Status
from spine_common.framework import workflow
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.framework.ports.database import Database, Transaction
from spine_common.framework.ports.deadletters import DeadLetter
from spine_common.framework.registry import Registry
from spine_common.framework.retry import RetryPolicy

log = structlog.get_logger(__name__)

_LARGEST_ATTEMPT = 2**31 - 1


class DeadLetterDesk:
    """Handles the poison-message queue; several at once are safe, for the row lock decides."""

    def __init__(
        self,
        registry: Registry,
        database: Database,
        policy: RetryPolicy,
        nudge: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._database = database
        self._policy = policy
        self._nudge = nudge

    async def handle(self, delivery: Delivery) -> Verdict:
        """Store one dead letter and give its execution a verdict, in one transaction."""
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=5.0
        ):
            with attempt:
                async with self._database.transaction() as tx:
                    await self._settle(tx, delivery)
        self._nudge()
        return Verdict.ACK

    async def _settle(self, tx: Transaction, delivery: Delivery) -> None:
        try:
            command = _read(delivery.body)
        except PoisonMessage as poison:
            await tx.dead_letters.keep(_letter(delivery, poison.kind, poison.code, str(poison)))
            log.warning("poison_kept", code=poison.code, error=str(poison))
            return
        locked = await tx.ledger.lock(command.execution_id)
        execution = locked.execution if locked else None
        kind, code, reason = await self._cause(tx, execution)
        await tx.dead_letters.keep(_letter(delivery, kind, code, reason, command))
        if execution is not None and execution.attempt == command.attempt:
            await self._judge(tx, execution, kind)

    async def _cause(self, tx: Transaction, execution: Execution | None) -> tuple[Kind, str, str]:
        if execution is None:
            return Kind.POISON, "EXECUTION_NOT_FOUND", "The ledger has no such execution."
        if execution.status is Status.FAILED:
            said = (await tx.ledger.events(execution.execution_id))[-1].payload
            return Kind(said["kind"]), said["code"], said["message"]
        return Kind.TRANSIENT, "UNDELIVERABLE", f"The broker gave it up; it is {execution.status}."

    async def _judge(self, tx: Transaction, execution: Execution, kind: Kind) -> None:
        if execution.status in {Status.PENDING, Status.RETRY_SCHEDULED}:
            # It came back before the relay's mark: in process the mark always comes later.
            execution = await tx.ledger.record(execution, EventType.QUEUED)
        if execution.status is Status.QUEUED:
            cause = {"kind": kind, "code": "UNDELIVERABLE", "message": "The broker gave it up."}
            execution = await tx.ledger.record(execution, EventType.FAILED, cause)
        if execution.status is not Status.FAILED:
            return
        delay = self._policy.verdict(kind, execution.attempt)
        if delay is None:
            given_up = await tx.ledger.record(execution, EventType.DEAD_LETTERED)
            await workflow.follow(tx, self._registry, given_up)
            log.warning("dead_lettered", execution_id=execution.execution_id)
            return
        payload = {"attempt": execution.attempt + 1, "delay_seconds": round(delay, 3)}
        again = await tx.ledger.record(execution, EventType.RETRY_SCHEDULED, payload)
        await workflow.order(tx, again, delay=delay)
        log.info("retry_scheduled", execution_id=execution.execution_id, **payload)


def _read(body: bytes) -> Command:
    """Read a command that a ledger could know; ``PoisonMessage`` for any other."""
    command = read_command(body)
    if "\x00" in command.execution_id or command.attempt > _LARGEST_ATTEMPT:
        raise PoisonMessage("No ledger holds such an execution id or attempt.")
    return command


def _letter(
    delivery: Delivery, kind: Kind, code: str, reason: str, command: Command | None = None
) -> DeadLetter:
    return DeadLetter(
        queue=delivery.queue,
        message_id=delivery.message_id,
        body=delivery.body,
        headers=delivery.headers,
        kind=kind,
        code=code,
        reason=reason,
        execution_id=command.execution_id if command else None,
        attempt=command.attempt if command else None,
    )
