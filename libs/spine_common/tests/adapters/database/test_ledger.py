"""Whether an execution moves by legal events only, each of them once."""

import asyncio

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from spine_common.adapters.database.tables import execution_events
from spine_common.adapters.database.types import db_now
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.errors import Conflict
from spine_common.core.execution import TERMINAL_EVENTS, EventType, IllegalTransition, Status
from spine_common.core.ids import new_execution_id

from .builders import submitted

FAULT = {"kind": "transient", "code": "TIMEOUT", "message": "too slow"}


async def test_a_life_with_a_retry_is_recorded_event_by_event(database: SqlDatabase):
    execution = await submitted(database)
    life = [
        (EventType.QUEUED, {}),
        (EventType.STARTED, {"attempt": 1, "fence": 1}),
        (EventType.FAILED, FAULT),
        (EventType.RETRY_SCHEDULED, {"attempt": 2, "delay_seconds": 1.5}),
        (EventType.QUEUED, {}),
        (EventType.STARTED, {"attempt": 2, "fence": 2}),
        (EventType.COMPLETED, {"result": {"rows": 3}, "partition_key": "day=2025-11-14"}),
    ]

    for type_, payload in life:
        async with database.transaction() as tx:
            execution = await tx.ledger.record(execution, type_, payload)

    async with database.reading() as tx:
        events = await tx.ledger.events(execution.execution_id)
    assert [event.type for event in events] == [EventType.SUBMITTED, *(type_ for type_, _ in life)]
    assert execution.status is Status.COMPLETED
    assert (execution.attempt, execution.fence, execution.seq) == (2, 2, 8)
    assert execution.result == {"rows": 3}
    assert execution.partition_key == "day=2025-11-14"
    assert execution.error is None


async def test_an_event_that_cannot_happen_now_is_refused(database: SqlDatabase):
    execution = await submitted(database)

    for type_ in (EventType.COMPLETED, EventType.FAILED, EventType.SUBMITTED):
        with pytest.raises(IllegalTransition):
            async with database.transaction() as tx:
                await tx.ledger.record(execution, type_, FAULT)

    async with database.reading() as tx:
        assert await tx.ledger.get(execution.execution_id) == execution


async def test_a_stale_execution_cannot_be_advanced_a_second_time(database: SqlDatabase):
    stale = await submitted(database)
    async with database.transaction() as tx:
        await tx.ledger.record(stale, EventType.QUEUED)

    with pytest.raises(Conflict):
        async with database.transaction() as tx:
            await tx.ledger.record(stale, EventType.QUEUED)


async def test_of_two_that_advance_the_same_value_at_once_one_wins(
    database: SqlDatabase, another: SqlDatabase
):
    execution = await submitted(database)

    async def cancel(where: SqlDatabase) -> None:
        async with where.transaction() as tx:
            await tx.ledger.record(execution, EventType.CANCELLED)

    outcomes = await asyncio.gather(cancel(database), cancel(another), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "NoneType"]


async def test_the_database_itself_refuses_a_second_end(database: SqlDatabase):
    execution = await submitted(database)
    async with database.transaction() as tx:
        await tx.ledger.record(execution, EventType.CANCELLED)

    for type_ in TERMINAL_EVENTS:
        second = insert(execution_events).values(
            execution_id=execution.execution_id,
            seq=execution.seq + 2,
            type=type_.value,
            at=db_now(),
            payload={},
        )
        with pytest.raises(IntegrityError):
            async with database.transaction() as tx:
                await tx._connection.execute(second)


async def test_an_event_is_never_changed(database: SqlDatabase):
    execution = await submitted(database)

    with pytest.raises(DBAPIError, match="append-only"):
        async with database.transaction() as tx:
            await tx._connection.execute(update(execution_events).values(type="completed"))

    async with database.reading() as tx:
        (event,) = await tx.ledger.events(execution.execution_id)
    assert event.type is EventType.SUBMITTED


async def test_what_is_unknown_is_none(database: SqlDatabase):
    nobody = new_execution_id()

    async with database.transaction() as tx:
        assert await tx.ledger.get(nobody) is None
        assert await tx.ledger.lock(nobody) is None
        assert await tx.ledger.events(nobody) == []
        assert await tx.ledger.children(nobody) == []


async def test_payloads_keep_any_text(database: SqlDatabase):
    said = {"result": {"text": 'Zürich \U0001f4c8 "quoted" \\ \n\t\u0000 | ;'}}
    execution = await submitted(database)

    async with database.transaction() as tx:
        running = await tx.ledger.record(execution, EventType.STARTED)
        await tx.ledger.record(running, EventType.COMPLETED, said)

    async with database.reading() as tx:
        assert (await tx.ledger.events(execution.execution_id))[-1].payload == said
