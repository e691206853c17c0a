"""What becomes of a dead letter: kept whole, then tried again later or given up."""

from collections.abc import Callable

import stamina
import structlog

from spine_common.contracts.commands import Command, read_command
from spine_common.core.errors import DatabaseUnavailable, Kind, PoisonMessage, classify, code_of
from spine_common.core.execution import EventType, Execution, Status
from spine_common.framework import workflow
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.framework.ports.database import Database, Transaction
from spine_common.framework.ports.deadletters import DeadLetter
from spine_common.framework.registry import Registry
from spine_common.framework.retry import RetryPolicy

log = structlog.get_logger(__name__)


class DeadLetterDesk:
    """Handles the poison-message queue; several at once are safe, for the row lock decides."""

    def __init__(
        self,
        registry: Registry,
        database: Database,
        policy: RetryPolicy,
        nudge: Callable[[], None],
        given_up: Callable[[str], None] = lambda _pipeline: None,
    ) -> None:
        self._registry = registry
        self._database = database
        self._policy = policy
        self._nudge = nudge
        self._given_up = given_up

    async def handle(self, delivery: Delivery) -> Verdict:
        """Store one dead letter and give its execution a verdict, in one transaction."""
        async for attempt in stamina.retry_context(
            on=DatabaseUnavailable, attempts=None, timeout=None, wait_max=5.0
        ):
            with attempt:
                try:
                    async with self._database.transaction() as tx:
                        await self._settle(tx, delivery)
                except DatabaseUnavailable:
                    raise
                except Exception as error:
                    # Whatever is wrong with a letter, it is kept: behind this desk is no other.
                    log.exception("dead_letter_not_settled", message_id=delivery.message_id)
                    letter = _letter(delivery, classify(error), code_of(error), repr(error))
                    async with self._database.transaction() as tx:
                        await tx.dead_letters.keep(letter)
        self._nudge()
        return Verdict.ACK

    async def _settle(self, tx: Transaction, delivery: Delivery) -> None:
        try:
            command = read_command(delivery.body)
        except PoisonMessage as poison:
            await tx.dead_letters.keep(_letter(delivery, poison.kind, poison.code, str(poison)))
            log.warning("poison_kept", code=poison.code, error=str(poison))
            return
        locked = await tx.ledger.lock(command.execution_id)
        execution = locked.execution if locked else None
        if locked and locked.execution.status is Status.RUNNING and locked.lease_seconds_left > 0:
            # Somebody is at it; the command is there if they have not ended it by then.
            await workflow.order(tx, locked.execution, delay=locked.lease_seconds_left)
        kind, code, reason = await self._cause(tx, execution)
        await tx.dead_letters.keep(_letter(delivery, kind, code, reason, command))
        if execution is not None and execution.attempt == command.attempt:
            expired = locked is not None and locked.lease_seconds_left <= 0
            await self._judge(tx, execution, kind, expired=expired)

    async def _cause(self, tx: Transaction, execution: Execution | None) -> tuple[Kind, str, str]:
        if execution is None:
            return Kind.POISON, "EXECUTION_NOT_FOUND", "The ledger has no such execution."
        if execution.status is Status.FAILED:
            said = (await tx.ledger.events(execution.execution_id))[-1].payload
            return Kind(said["kind"]), said["code"], said["message"]
        return Kind.TRANSIENT, "UNDELIVERABLE", f"The broker gave it up; it is {execution.status}."

    async def _judge(
        self, tx: Transaction, execution: Execution, kind: Kind, *, expired: bool
    ) -> None:
        if execution.status in {Status.PENDING, Status.RETRY_SCHEDULED}:
            # It came back before the relay's mark: in process the mark always comes later.
            execution = await tx.ledger.record(execution, EventType.QUEUED)
        if execution.status is Status.QUEUED or (execution.status is Status.RUNNING and expired):
            cause = {"kind": kind, "code": "UNDELIVERABLE", "message": "The broker gave it up."}
            execution = await tx.ledger.record(execution, EventType.FAILED, cause)
            await tx.ledger.release(execution.execution_id)
        if execution.status is not Status.FAILED:
            return
        delay = self._policy.verdict(kind, execution.attempt)
        if delay is None:
            given_up = await tx.ledger.record(execution, EventType.DEAD_LETTERED)
            await workflow.follow(tx, self._registry, given_up)
            self._given_up(execution.pipeline)
            log.warning("dead_lettered", execution_id=execution.execution_id)
            return
        payload = {"attempt": execution.attempt + 1, "delay_seconds": round(delay, 3)}
        again = await tx.ledger.record(execution, EventType.RETRY_SCHEDULED, payload)
        await workflow.order(tx, again, delay=delay)
        log.info("retry_scheduled", execution_id=execution.execution_id, **payload)


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
