"""Whether a ledger that lies is found out, and executions are rebuilt as their events tell them."""

import asyncio

import pytest
from sqlalchemy import delete, insert, update

from spine_common.adapters.database.tables import execution_events, executions
from spine_common.adapters.database.types import db_now
from spine_common.core.errors import SourceNotFound
from spine_common.core.execution import Status
from spine_common.core.ids import new_execution_id
from spine_common.core.pipeline import Stage
from spine_common.framework.audit import replay, verify
from spine_common.framework.review import DeadLetterReview

from .builders import SHOP_STAGES, failing
from .conftest import Process
from .damage import broken, damaged, event_of, given_up, row_of, stored, worked


async def test_a_ledger_that_was_worked_on_is_consistent(shop: Process):
    await worked(shop)

    audited = await verify(shop.database)

    assert audited.violations == []
    assert audited.executions == 4 + 2 + 1
    assert audited.events == 20


@pytest.mark.breaks_ledger
async def test_an_execution_changed_behind_the_ledgers_back_is_found(shop: Process):
    ended = await worked(shop)

    await damaged(shop, update(executions).where(row_of(ended)).values(status="cancelled"))

    (violation,) = (await verify(shop.database)).violations
    assert (violation.execution_id, violation.rule) == (ended.execution_id, "projection")
    assert "status (cancelled, not completed)" in violation.detail


@pytest.mark.breaks_ledger
async def test_a_missing_event_is_a_gap(shop: Process):
    ended = await worked(shop)

    await damaged(shop, delete(execution_events).where(event_of(ended, 2)))

    assert await broken(shop) == [(ended.execution_id, "sequence"), (ended.execution_id, "fold")]


@pytest.mark.breaks_ledger
async def test_events_without_an_execution_are_found_and_it_is_stored_again(shop: Process):
    ended = await worked(shop)

    await damaged(shop, delete(executions).where(row_of(ended)))

    rules = ["projection", "children"]
    assert await broken(shop) == [(ended.execution_id, rule) for rule in rules]
    await replay(shop.database)
    assert await shop.get(ended) == ended


@pytest.mark.breaks_ledger
async def test_a_parent_that_ended_before_its_children_is_found(shop: Process):
    ended = await worked(shop)
    child = (await shop.children(ended))[0]

    await damaged(shop, update(executions).where(row_of(child)).values(status="running"))

    assert (ended.execution_id, "children") in await broken(shop)


@pytest.mark.breaks_ledger
@pytest.mark.parametrize("status", ["completed", "skipped"])
async def test_a_parent_that_ended_well_above_a_child_given_up_is_found(shop: Process, status: str):
    await shop.start({**SHOP_STAGES})
    parent = await given_up(shop)

    await damaged(
        shop,
        update(execution_events)
        .where(event_of(parent, parent.seq))
        .values(type=status, payload={}),
        update(executions).where(row_of(parent)).values(status=status, error_code=None, error=None),
    )

    assert await broken(shop) == [(parent.execution_id, "children")]


@pytest.mark.breaks_ledger
async def test_a_parent_skipped_above_a_child_that_was_not_is_found(shop: Process):
    ended = await worked(shop)

    await damaged(
        shop,
        update(execution_events).where(event_of(ended, ended.seq)).values(type="skipped"),
        update(executions).where(row_of(ended)).values(status="skipped"),
    )

    assert await broken(shop) == [(ended.execution_id, "children")]


async def test_a_retried_step_may_end_before_the_steps_that_are_left_and_better(shop: Process):
    reached, leave = asyncio.Event(), asyncio.Event()

    async def lost_at_last(_command, _context):
        reached.set()
        await leave.wait()
        raise SourceNotFound("gone again")

    await shop.start({**SHOP_STAGES, Stage.NORMALIZE: lost_at_last})
    parent = await given_up(shop)
    (shop.folder / "missing.txt").write_text("tea 2")
    review = DeadLetterReview(shop.database, shop.relay.nudge)
    (retried,) = await review.retry_execution(parent.execution_id)
    await reached.wait()
    retry = await shop.get(retried.execution)
    (following,) = await shop.children(retry)
    assert (retry.status, following.status) == (Status.COMPLETED, Status.RUNNING)

    assert await broken(shop) == []
    leave.set()
    assert (await shop.ended(following)).status is Status.DEAD_LETTERED
    assert await broken(shop) == []


async def test_a_replay_of_a_sound_ledger_changes_nothing(shop: Process):
    await worked(shop)
    before = await stored(shop)

    replayed = await replay(shop.database)

    assert await stored(shop) == before
    assert (replayed.changed, replayed.removed, replayed.given_up) == ([], 0, [])
    assert replayed.executions == len(before)


async def test_a_replay_repairs_what_was_changed(shop: Process):
    ended = await worked(shop)
    before = await stored(shop)
    changed = {"status": "failed", "result": {}, "attempt": 9}
    await damaged(shop, update(executions).where(row_of(ended)).values(changed))

    replayed = await replay(shop.database)

    assert await stored(shop) == before
    assert replayed.changed == [ended.execution_id]
    assert await broken(shop) == []


async def test_what_was_invented_is_removed_when_it_may_be(shop: Process):
    ended = await worked(shop)
    before = await stored(shop)
    async with shop.database.reading() as tx:
        row = (await tx._connection.execute(executions.select().where(row_of(ended)))).one()
    invented = {"execution_id": new_execution_id(), "logical_key": "invented"}
    await damaged(shop, insert(executions).values({**row._mapping, **invented}))

    replayed = await replay(shop.database, accept_loss=True)

    assert await stored(shop) == before
    assert (replayed.changed, replayed.removed) == ([], 1)
    assert [one.execution_id for one in replayed.given_up] == [invented["execution_id"]]


@pytest.mark.breaks_ledger
async def test_an_event_appended_past_the_end_is_found(process: Process):
    await process.start(failing(SourceNotFound("none")))
    ended = await process.ended(await process.dispatcher.submit("suite.work"))
    event = {"execution_id": ended.execution_id, "seq": ended.seq + 1, "type": "started"}

    await damaged(process, insert(execution_events).values(**event, at=db_now(), payload={}))

    assert await broken(process) == [(ended.execution_id, "fold")]
