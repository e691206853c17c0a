"""Whether ``queued`` is written for the attempt that was sent, and for no other."""

import asyncio

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.contracts.commands import command_message
from spine_common.core.execution import EventType, Execution, Status
from spine_common.framework.ports.ledger import OutboxRow

from .builders import message, submitted

FAULT = {"kind": "transient", "code": "X", "message": "x"}


async def sent(database: SqlDatabase, execution: Execution) -> list[OutboxRow]:
    async with database.transaction() as tx:
        await tx.outbox.add(command_message(execution), execution_id=execution.execution_id)
    async with database.transaction() as tx:
        return await tx.outbox.claim(limit=50, lease=30)


async def mark(database: SqlDatabase, rows: list[OutboxRow]) -> None:
    async with database.transaction() as tx:
        await tx.ledger.record_queued(rows)
        await tx.outbox.mark_sent(rows)


async def status(database: SqlDatabase, execution: Execution) -> Status:
    async with database.reading() as tx:
        now = await tx.ledger.get(execution.execution_id)
    assert now is not None
    return now.status


async def test_a_sent_command_is_queued(database: SqlDatabase):
    execution = await submitted(database, "1")
    other = await submitted(database, "2")

    await mark(database, await sent(database, execution))

    assert await status(database, execution) is Status.QUEUED
    assert await status(database, other) is Status.PENDING


async def test_a_mark_does_not_wait_for_a_commit_that_takes_long(both: tuple[SqlDatabase, ...]):
    _, database = both  # on SQLite one transaction writes at a time
    running = await submitted(database, "runs")
    other = await submitted(database, "waits")
    rows = [*await sent(database, running), *await sent(database, other)]
    async with database.transaction() as tx:
        await tx.ledger.record(running, EventType.STARTED)

    async with database.transaction() as committing:
        await committing.ledger.lock(running.execution_id)
        async with asyncio.timeout(5):
            await mark(database, rows)

    assert await status(database, other) is Status.QUEUED


async def test_a_row_somebody_holds_is_not_waited_for(both: tuple[SqlDatabase, ...]):
    _, database = both
    execution = await submitted(database)

    async with database.transaction() as holding:
        await holding.ledger.lock(execution.execution_id)
        async with asyncio.timeout(5), database.transaction() as tx:
            assert await tx.ledger.lock(execution.execution_id, wait=False) is None
    async with database.transaction() as tx:
        assert await tx.ledger.lock(execution.execution_id, wait=False) is not None


async def test_many_sent_at_once_are_each_queued_once(database: SqlDatabase):
    executions = [await submitted(database, str(n)) for n in range(5)]
    rows = [row for execution in executions for row in await sent(database, execution)]

    await mark(database, rows)
    await mark(database, rows)

    assert {await status(database, execution) for execution in executions} == {Status.QUEUED}


async def test_a_consumer_faster_than_the_mark_leaves_nothing_to_write(database: SqlDatabase):
    for life in (
        [(EventType.STARTED, {})],
        [(EventType.STARTED, {}), (EventType.COMPLETED, {})],
        [(EventType.CANCELLED, {})],
        [(EventType.STARTED, {}), (EventType.FAILED, FAULT)],
    ):
        execution = await submitted(database, str(life))
        rows = await sent(database, execution)
        async with database.transaction() as tx:
            for type_, payload in life:
                execution = await tx.ledger.record(execution, type_, payload)

        await mark(database, rows)

        assert await status(database, execution) is execution.status


async def test_an_earlier_attempt_sent_does_not_queue_the_next(database: SqlDatabase):
    execution = await submitted(database)
    first_attempt = await sent(database, execution)
    async with database.transaction() as tx:
        execution = await tx.ledger.record(execution, EventType.STARTED)
        execution = await tx.ledger.record(execution, EventType.FAILED, FAULT)
        execution = await tx.ledger.record(execution, EventType.RETRY_SCHEDULED, {"attempt": 2})

    await mark(database, first_attempt)
    assert await status(database, execution) is Status.RETRY_SCHEDULED

    await mark(database, await sent(database, execution))
    assert await status(database, execution) is Status.QUEUED


async def test_a_message_of_nobody_queues_nothing(database: SqlDatabase):
    execution = await submitted(database)
    async with database.transaction() as tx:
        await tx.outbox.add(message(1))
        rows = await tx.outbox.claim(limit=1, lease=30)

    await mark(database, rows)

    assert await status(database, execution) is Status.PENDING
