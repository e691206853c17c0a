"""Whether a transaction is whole or nothing, whatever came first in it and however it ends."""

import asyncio
from datetime import UTC, timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.clock import utc_now
from spine_common.core.execution import EventType
from spine_common.core.pipeline import Stage
from spine_common.core.quality import check
from spine_common.framework.ports.queries import Window

from .builders import BY, SAMPLE, captured, message, order, submitted, texts

pytestmark = pytest.mark.usefixtures("sample_table")


async def test_a_transaction_that_raises_leaves_nothing_in_any_room(database: SqlDatabase):
    capture = await captured(database)

    async def attempt() -> None:
        async with database.transaction() as tx:
            execution, _ = await tx.ledger.submit(order("k"))
            await tx.outbox.add(message(1), execution_id=execution.execution_id)
            await tx.manifest.complete(capture, Stage.NORMALIZE, {"v1": 1}, BY)
            await tx.tables.load(SAMPLE, capture, texts("a"))
            checks = [check("c", holds=True, expected=1, observed=1)]
            await tx.evidence.checks(capture, Stage.NORMALIZE, checks, BY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()

    async with database.reading() as tx:
        assert await tx.ledger.recent() == []
        assert await tx.outbox.depth() == (0, 0.0)
        assert await tx.manifest.done(capture, Stage.NORMALIZE) == frozenset()
        assert (await tx.queries.rows(SAMPLE, capture, window=Window())).total == 0
        assert await tx.queries.checks(capture) == []


async def test_a_bulk_load_that_came_first_is_rolled_back_too(database: SqlDatabase):
    capture = await captured(database)

    async def attempt() -> None:
        async with database.transaction() as tx:
            await tx.tables.load(SAMPLE, capture, texts("a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()

    async with database.reading() as tx:
        assert (await tx.queries.rows(SAMPLE, capture, window=Window())).total == 0


async def test_a_load_that_breaks_the_key_takes_what_came_before_with_it(database: SqlDatabase):
    capture = await captured(database)

    async def attempt() -> None:
        async with database.transaction() as tx:
            await tx.outbox.add(message(1))
            await tx.tables.load(SAMPLE, capture, texts("a"))
            await tx.tables.load(SAMPLE, capture, texts("b"))

    with pytest.raises(Exception, match=r"(?i)unique"):
        await attempt()

    async with database.reading() as tx:
        assert await tx.outbox.depth() == (0, 0.0)
        assert (await tx.queries.rows(SAMPLE, capture, window=Window())).total == 0


async def test_what_a_transaction_wrote_is_seen_when_it_ends(
    database: SqlDatabase, another: SqlDatabase
):
    async with database.transaction() as tx:
        await tx.ledger.submit(order("k"))
        async with another.reading() as other:
            assert await other.ledger.recent() == []

    async with another.reading() as other:
        assert len(await other.ledger.recent()) == 1


async def test_two_writers_take_turns(database: SqlDatabase, another: SqlDatabase):
    async def write(where: SqlDatabase, number: int) -> None:
        async with where.transaction() as tx:
            await tx.ledger.recent()  # reads first, writes later
            await tx.ledger.submit(order(str(number)))

    await asyncio.gather(*(write(where, n) for n, where in enumerate((database, another) * 6)))

    async with database.reading() as tx:
        assert len(await tx.ledger.recent()) == 12


async def test_time_is_utc_aware_and_exact_to_the_millisecond(database: SqlDatabase):
    execution = await submitted(database)
    async with database.transaction() as tx:
        running = await tx.ledger.record(execution, EventType.STARTED)
        now = await tx.now()

    async with database.reading() as tx:
        stored = await tx.ledger.get(execution.execution_id)
        first, second = await tx.ledger.events(execution.execution_id)
    assert stored is not None
    moments = [now, stored.created_at, stored.started_at, first.at, second.at]
    assert all(moment is not None and moment.tzinfo is UTC for moment in moments)
    assert all(moment is not None and moment.microsecond % 1000 == 0 for moment in moments)
    assert (stored.created_at, stored.started_at) == (first.at, second.at)
    assert stored == running
    assert first.at <= second.at <= now
    assert abs(now - utc_now()) < timedelta(minutes=1)


async def test_a_cancelled_task_leaks_neither_connection_nor_lock(database: SqlDatabase):
    capture = await captured(database)

    async def work(number: int) -> None:
        async with database.transaction() as tx:
            await tx.outbox.add(message(number))
            await tx.tables.load(SAMPLE, capture, texts("a"))
            await tx.tables.clear(SAMPLE, capture)

    finished = []
    for steps in range(2, 42, 2):
        task = asyncio.create_task(work(steps))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        finished.append(task)  # as its traceback is: whatever it holds stays held
        assert database._engine.pool.checkedout() == 0
        async with asyncio.timeout(5), database.transaction() as tx:
            await tx.now()

    async with database.reading() as tx:
        count, _ = await tx.outbox.depth()
    assert count == sum(not task.cancelled() for task in finished)


async def test_our_own_mistakes_are_not_an_outage(database: SqlDatabase):
    with pytest.raises(IntegrityError):
        async with database.transaction() as tx:
            await tx.ledger.submit(order("k", domain=None))
