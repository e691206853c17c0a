"""What becomes of a message on the poison-message queue: kept whole, its execution judged."""

from collections.abc import Callable
from dataclasses import replace

import stamina
import structlog

from spine_common.contracts.commands import (
    Command,
    command_message,
    command_of,
    command_type,
    read_command,
)
from spine_common.contracts.routing import DEAD_LETTER_QUEUE
from spine_common.contracts.shape import shape_of
from spine_common.core.errors import DatabaseUnavailable, Kind, PoisonMessage, classify, code_of
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.letters import LetterState
from spine_common.framework import workflow
from spine_common.framework.failpoints import Failpoint, reached
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.framework.ports.database import Database, Transaction
from spine_common.framework.ports.deadletters import DeadLetter
from spine_common.framework.ports.ledger import Locked
from spine_common.framework.registry import Registry
from spine_common.framework.retry import RetryPolicy
from spine_common.framework.verdict import UNDELIVERABLE, fail, judge

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
                    await self._settle(delivery)
                except DatabaseUnavailable:
                    raise
                except Exception as error:
                    # Whatever is wrong with a letter, it is kept: behind this desk is no other.
                    log.exception("dead_letter_not_settled", message_id=delivery.message_id)
                    letter = _unread(delivery, error)
                    async with self._database.transaction() as tx:
                        await tx.dead_letters.keep(letter)
                await reached(Failpoint.LETTER_AFTER)
        self._nudge()
        return Verdict.ACK

    async def _settle(self, delivery: Delivery) -> None:
        ended: Execution | None = None
        async with self._database.transaction() as tx:
            try:
                command = read_command(delivery.body)
            except PoisonMessage as poison:
                await tx.dead_letters.keep(_unread(delivery, poison))
                log.warning("poison_kept", code=poison.code, error=str(poison))
            else:
                ended = await self._settle_command(tx, delivery, command)
            await reached(Failpoint.LETTER_BEFORE)
        if ended is not None and ended.status is Status.DEAD_LETTERED:
            self._given_up(ended.pipeline)

    async def _settle_command(
        self, tx: Transaction, delivery: Delivery, command: Command
    ) -> Execution | None:
        """Keep a command's letter; return its execution if that was judged."""
        locked = await tx.ledger.lock(command.execution_id)
        if locked is None:
            unknown = PoisonMessage(f"The ledger has no execution {command.execution_id}.")
            letter = _letter(delivery, command, unknown.kind, "EXECUTION_NOT_FOUND", str(unknown))
            await tx.dead_letters.keep(letter)
            return None
        execution = locked.execution
        kind, code, reason = await self._cause(tx, execution)
        letter = _letter(delivery, command, kind, code, reason)
        if execution.attempt != command.attempt:
            await tx.dead_letters.keep(replace(letter, state=LetterState.MOOT))
            return None
        if execution.status is Status.RUNNING and locked.lease_seconds_left > 0:
            # Somebody is at it; the command is there if they have not ended it by then.
            await workflow.order(tx, execution, delay=locked.lease_seconds_left)
            await tx.dead_letters.keep(replace(letter, state=LetterState.RESCHEDULED))
            return None
        judged = await self._judge(tx, locked, kind)
        await tx.dead_letters.keep(replace(letter, state=_state_after(judged)))
        return judged

    async def _cause(self, tx: Transaction, execution: Execution) -> tuple[Kind, str, str]:
        if execution.status in {Status.FAILED, Status.DEAD_LETTERED}:
            events = await tx.ledger.events(execution.execution_id)
            failures = [event.payload for event in events if event.type is EventType.FAILED]
            if failures:
                said = failures[-1]
                return Kind(said["kind"]), said["code"], said["message"]
        return Kind.TRANSIENT, UNDELIVERABLE, f"The broker gave it up; it is {execution.status}."

    async def _judge(self, tx: Transaction, locked: Locked, kind: Kind) -> Execution:
        execution = locked.execution
        if execution.status in {Status.PENDING, Status.RETRY_SCHEDULED}:
            # It came back before the relay's mark: in process the mark always comes later.
            execution = await tx.ledger.record(execution, EventType.QUEUED)
        if execution.status in {Status.QUEUED, Status.RUNNING}:
            execution = await fail(tx, execution, kind, UNDELIVERABLE, "The broker gave it up.")
        if execution.status is Status.FAILED:
            return await judge(tx, self._registry, self._policy, execution)
        return execution


async def judge_unseen(
    tx: Transaction, registry: Registry, policy: RetryPolicy, failed: Execution
) -> Execution:
    """Give a failed execution its verdict although its dead letter never came.

    The letter is written as the order would read: what was given up waits for a person there.
    """
    judged = await judge(tx, registry, policy, failed)
    await tx.dead_letters.keep(_rebuilt(failed, judged))
    return judged


def _rebuilt(failed: Execution, judged: Execution) -> DeadLetter:
    message = command_message(failed)
    delivery = Delivery(message.body, {}, DEAD_LETTER_QUEUE, message.message_id, redelivered=False)
    kind = Kind.TRANSIENT if judged.status is Status.RETRY_SCHEDULED else Kind.PERMANENT
    code, reason = failed.error_code or UNDELIVERABLE, failed.error or "Its message got lost."
    letter = _letter(delivery, command_of(failed), kind, code, reason)
    return replace(letter, state=_state_after(judged))


def _state_after(judged: Execution) -> LetterState:
    match judged.status:
        case Status.RETRY_SCHEDULED:
            return LetterState.RESCHEDULED
        case Status.DEAD_LETTERED:
            return LetterState.WAITING
        case _:
            return LetterState.MOOT


def _letter(delivery: Delivery, command: Command, kind: Kind, code: str, reason: str) -> DeadLetter:
    return replace(
        _unread(delivery, PoisonMessage(reason)),
        kind=kind,
        code=code,
        reason=reason,
        shape=command_type(command.stage),
        execution_id=command.execution_id,
        attempt=command.attempt,
        pipeline=command.pipeline,
        partition_key=command.partition_key,
    )


def _unread(delivery: Delivery, error: Exception) -> DeadLetter:
    """Return the letter of a message that tells no execution."""
    return DeadLetter(
        queue=delivery.queue,
        message_id=delivery.message_id,
        body=delivery.body,
        headers=delivery.headers,
        kind=classify(error),
        code=code_of(error),
        reason=str(error) or repr(error),
        shape=shape_of(delivery.body),
        redelivered=delivery.redelivered,
    )
