"""What follows a failed attempt: the next one, later, or the end."""

import structlog

from spine_common.core.errors import Kind
from spine_common.core.execution import EventType, Execution
from spine_common.framework import workflow
from spine_common.framework.ports.database import Transaction
from spine_common.framework.registry import Registry
from spine_common.framework.retry import RetryPolicy

log = structlog.get_logger(__name__)

UNDELIVERABLE = "UNDELIVERABLE"
"""The error code of an attempt whose message the broker gave up: its workers came and went."""


async def judge(
    tx: Transaction, registry: Registry, policy: RetryPolicy, failed: Execution
) -> Execution:
    """Give a failed execution, locked, its verdict and return it as it stands then.

    ``retry_scheduled``, its command in the outbox for later, if the failure was transient and
    attempts are left; else ``dead_lettered``, which ends its parent, too, if it was the last.
    """
    said = (await tx.ledger.events(failed.execution_id))[-1].payload
    pipeline = registry.pipeline(failed.pipeline)
    delay = policy.of(pipeline).verdict(Kind(said["kind"]), failed.attempt)
    if delay is None:
        given_up = await tx.ledger.record(failed, EventType.DEAD_LETTERED)
        await workflow.follow(tx, registry, given_up)
        log.warning("dead_lettered", execution_id=failed.execution_id, code=failed.error_code)
        return given_up
    payload = {"attempt": failed.attempt + 1, "delay_seconds": round(delay, 3)}
    again = await tx.ledger.record(failed, EventType.RETRY_SCHEDULED, payload)
    await workflow.order(tx, again, delay=delay)
    log.info("retry_scheduled", execution_id=failed.execution_id, **payload)
    return again


async def fail(
    tx: Transaction, execution: Execution, kind: Kind, code: str, message: str
) -> Execution:
    """Record that a locked execution's attempt failed, and drop its lease."""
    payload = {"kind": kind, "code": code, "message": message, "attempt": execution.attempt}
    failed = await tx.ledger.record(execution, EventType.FAILED, payload)
    await tx.ledger.release(execution.execution_id)
    return failed
