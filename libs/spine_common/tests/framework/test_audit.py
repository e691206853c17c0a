"""Whether a ledger that lies is found out, and executions are rebuilt as their events tell them."""

import pytest
from sqlalchemy import delete, insert, update

from spine_common.adapters.database.tables import execution_events, executions
from spine_common.adapters.database.types import db_now
from spine_common.core.errors import SourceNotFound
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import new_execution_id
from spine_common.framework.audit import LedgerCorrupt, replay, verify

from .builders import SHOP_STAGES, failing, sales_key
from .conftest import Process


async def worked(process: Process) -> Execution:
    """Fill the ledger: a workflow, a failure given up, one that is open."""
    await process.start({**SHOP_STAGES})
    path = process.folder / "sales.txt"
    path.write_text("tea 2")
    order = {**sales_key(), "file_path": str(path)}
    ended = await process.ended(await process.dispatcher.submit("shop.process", order))
    missing = {**sales_key(shop="B"), "file_path": "missing.txt"}
    await process.ended(await process.dispatcher.submit("shop.process", missing))
    await process.stop()
    await process.dispatcher.submit("suite.work")
    return ended


async def broken(process: Process, *statements) -> list[tuple[str, str]]:
    async with process.database.transaction() as tx:
        for statement in statements:
            await tx._connection.execute(statement)
    audited = await verify(process.database)
    return [(one.execution_id, one.rule) for one in audited.violations]


async def test_a_ledger_that_was_worked_on_is_consistent(shop: Process):
    await worked(shop)

    audited = await verify(shop.database)

    assert audited.violations == []
    assert audited.executions == 4 + 2 + 1
    assert audited.events == 20


@pytest.mark.breaks_ledger
async def test_an_execution_changed_behind_the_ledgers_back_is_found(shop: Process):
    ended = await worked(shop)
    one = executions.c.execution_id == ended.execution_id

    found = await broken(shop, update(executions).where(one).values(status="cancelled"))

    assert (ended.execution_id, "projection") in found
    audited = await verify(shop.database)
    assert "status (cancelled, not completed)" in audited.violations[0].detail


@pytest.mark.breaks_ledger
async def test_a_missing_event_is_a_gap(shop: Process):
    ended = await worked(shop)
    second = (execution_events.c.execution_id == ended.execution_id) & (execution_events.c.seq == 2)

    found = await broken(shop, delete(execution_events).where(second))

    assert (ended.execution_id, "sequence") in found
    assert (ended.execution_id, "fold") in found


@pytest.mark.breaks_ledger
async def test_an_execution_without_events_or_row_is_found(shop: Process):
    ended = await worked(shop)
    one = executions.c.execution_id == ended.execution_id

    found = await broken(shop, delete(executions).where(one))
    assert (ended.execution_id, "projection") in found
    assert (ended.execution_id, "children") in found

    await replay(shop.database)
    its_events = execution_events.c.execution_id == ended.execution_id
    assert await broken(shop, delete(execution_events).where(its_events)) == [
        (ended.execution_id, "projection")
    ]


@pytest.mark.breaks_ledger
async def test_a_parent_that_ended_before_its_children_is_found(shop: Process):
    ended = await worked(shop)
    child = (await shop.children(ended))[0]
    one = executions.c.execution_id == child.execution_id

    found = await broken(shop, update(executions).where(one).values(status="running"))

    assert (ended.execution_id, "children") in found


async def test_a_replay_of_a_sound_ledger_changes_nothing(shop: Process):
    await worked(shop)
    async with shop.database.reading() as tx:
        before = await tx.ledger.recent(limit=100)

    replayed = await replay(shop.database)

    async with shop.database.reading() as tx:
        assert await tx.ledger.recent(limit=100) == before
    assert (replayed.changed, replayed.removed) == ([], 0)
    assert replayed.executions == len(before)


async def test_a_replay_repairs_what_was_changed_and_removes_what_was_invented(shop: Process):
    ended = await worked(shop)
    one = executions.c.execution_id == ended.execution_id
    async with shop.database.reading() as tx:
        before = await tx.ledger.recent(limit=100)
        row = (await tx._connection.execute(executions.select().where(one))).mappings().one()
    invented = {**row, "execution_id": new_execution_id(), "logical_key": "invented"}
    await broken(
        shop,
        insert(executions).values(invented),
        update(executions).where(one).values(status="failed", result={}, attempt=9),
    )

    replayed = await replay(shop.database)

    async with shop.database.reading() as tx:
        assert await tx.ledger.recent(limit=100) == before
    assert (replayed.changed, replayed.removed) == ([ended.execution_id], 1)
    assert (await verify(shop.database)).violations == []


async def test_a_replay_keeps_the_leases_of_who_is_at_work(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    async with process.database.transaction() as tx:
        started = await tx.ledger.record(
            execution, EventType.STARTED, {"attempt": 1, "fence": 1, "owner": "me"}
        )
        await tx.ledger.set_lease(started.execution_id, "me", 60)

    await replay(process.database)

    async with process.database.transaction() as tx:
        locked = await tx.ledger.lock(started.execution_id)
    assert locked is not None
    assert (locked.execution, locked.lease_owner) == (started, "me")
    assert locked.lease_seconds_left > 50


@pytest.mark.breaks_ledger
async def test_events_that_tell_no_execution_are_not_replayed(shop: Process):
    ended = await worked(shop)
    second = (execution_events.c.execution_id == ended.execution_id) & (execution_events.c.seq == 2)
    await broken(shop, delete(execution_events).where(second))

    with pytest.raises(LedgerCorrupt, match=ended.execution_id):
        await replay(shop.database)

    assert (await shop.get(ended)).status is Status.COMPLETED


@pytest.mark.breaks_ledger
async def test_an_event_appended_past_the_end_is_found(process: Process):
    await process.start(failing(SourceNotFound("none")))
    ended = await process.ended(await process.dispatcher.submit("suite.work"))

    found = await broken(
        process,
        insert(execution_events).values(
            execution_id=ended.execution_id,
            seq=ended.seq + 1,
            type="started",
            at=db_now(),
            payload={},
        ),
    )

    assert found == [(ended.execution_id, "fold")]
