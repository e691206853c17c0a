"""Whether a damaged ledger is named as what it is, and nothing is made up from what is left."""

from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update

from spine_common.adapters.database.tables import execution_events, executions
from spine_common.core.execution import Status
from spine_common.framework.audit import replay, verify
from spine_common.framework.cancel import cancel
from spine_common.framework.ports.audit import LedgerCorrupt

from .builders import REGISTRY
from .conftest import Process
from .damage import broken, damaged, event_of, row_of, stored, worked

pytestmark = pytest.mark.breaks_ledger
LAST = 3
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite_url"], indirect=True)


async def refused(process: Process, **options: bool) -> LedgerCorrupt:
    """Return why nothing is rebuilt, and see that nothing was."""
    async with process.database.reading() as tx:
        before = (await tx._connection.execute(raw())).all()
    with pytest.raises(LedgerCorrupt) as raised:
        await replay(process.database, **options)
    async with process.database.reading() as tx:
        assert (await tx._connection.execute(raw())).all() == before
    return raised.value


def raw() -> Any:
    columns = (func.length(column.cast(executions.c.status.type)) for column in executions.c)
    return select(executions.c.execution_id, executions.c.status, *columns).order_by("execution_id")


async def test_a_last_event_that_is_gone_is_lost_and_nothing_is_taken_back(shop: Process):
    ended = await worked(shop)

    await damaged(shop, delete(execution_events).where(event_of(ended, LAST)))

    (violation,) = (await verify(shop.database)).violations
    assert (violation.execution_id, violation.rule) == (ended.execution_id, "lost")
    assert violation.detail == "it is stored as of event #3, and its events end at #2"
    corrupt = await refused(shop)
    assert corrupt.message.startswith("The events of 1 execution can't be replayed: ")
    assert "--accept-loss" in corrupt.remedy


async def test_executions_no_event_tells_of_are_not_removed(shop: Process):
    await worked(shop)
    everything = len(await stored(shop))

    await damaged(shop, delete(execution_events))

    assert {rule for _, rule in await broken(shop)} == {"lost"}
    corrupt = await refused(shop)
    assert f"The events of {everything} executions" in corrupt.message
    assert corrupt.message.endswith(f"; and {everything - 3} more.")


async def test_a_loss_that_is_accepted_is_named_and_the_rest_is_consistent(shop: Process):
    ended = await worked(shop)
    is_waiting = executions.c.pipeline == "suite.work"
    (waiting,) = [one for one in await stored(shop) if one.pipeline == "suite.work"]
    await damaged(
        shop,
        delete(execution_events).where(event_of(ended, LAST)),
        delete(execution_events).where(event_of(waiting)),
    )

    replayed = await replay(shop.database, accept_loss=True)

    given_up = {one.execution_id for one in replayed.given_up}
    assert given_up == {ended.execution_id, waiting.execution_id}
    assert (replayed.changed, replayed.removed) == ([ended.execution_id], 1)
    assert (await shop.get(ended)).status is Status.RUNNING
    assert await broken(shop) == []
    async with shop.database.reading() as tx:
        assert (await tx._connection.execute(select(executions).where(is_waiting))).all() == []


async def test_other_damage_is_not_accepted_as_a_loss(shop: Process):
    ended = await worked(shop)
    child = (await shop.children(ended))[0]
    await damaged(
        shop,
        delete(execution_events).where(event_of(ended, LAST)),
        delete(execution_events).where(event_of(child, 2)),
    )

    assert "The events of 2 executions" in (await refused(shop)).message
    corrupt = await refused(shop, accept_loss=True)
    assert corrupt.message.startswith(
        f"The events of 1 execution can't be replayed: {child.execution_id}:"
    )
    assert "--accept-loss" not in corrupt.remedy


async def test_one_execution_with_several_faults_is_counted_once(shop: Process):
    ended = await worked(shop)
    await damaged(shop, delete(execution_events).where(event_of(ended, 1)))

    corrupt = await refused(shop)

    assert corrupt.message == (
        f"The events of 1 execution can't be replayed: {ended.execution_id}:"
        " the events are numbered [2, 3]."
    )


async def mended(shop: Process, column: str, value: str) -> None:
    """Damage one stored value; it is named, and rebuilt from the events."""
    ended = await worked(shop)
    before = await stored(shop)

    await damaged(shop, update(executions).where(row_of(ended)).values({column: text(value)}))

    assert await broken(shop) == [(ended.execution_id, "projection")]
    assert (await replay(shop.database)).changed == [ended.execution_id]
    assert await stored(shop) == before
    assert await broken(shop) == []


@pytest.mark.parametrize(
    ("column", "value"), [("status", "'nonsense'"), ("result", "'[]'"), ("params", "'null'")]
)
async def test_a_stored_value_that_is_none_is_named_and_mended(
    shop: Process, column: str, value: str
):
    await mended(shop, column, value)


@ON_SQLITE
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("completed_at", "'yesterday'"),
        ("lease_until", "'soon'"),
        ("result", "'{bad'"),
        ("attempt", "'x'"),
        ("seq", "'x'"),
    ],
)
async def test_a_stored_value_of_no_type_is_named_and_mended(
    shop: Process, column: str, value: str
):
    await mended(shop, column, value)


async def unfoldable(shop: Process, seq: int, column: str, value: str) -> None:
    """Damage one event; it is named, whatever else is wrong too, and nothing is rebuilt."""
    ended = await worked(shop)
    (waiting,) = [one for one in await stored(shop) if one.pipeline == "suite.work"]

    await damaged(
        shop,
        update(execution_events).where(event_of(ended, seq)).values({column: text(value)}),
        update(executions).where(row_of(waiting)).values(attempt=9),
    )

    assert set(await broken(shop)) == {
        (ended.execution_id, "fold"),
        (waiting.execution_id, "projection"),
    }
    assert ended.execution_id in (await refused(shop, accept_loss=True)).message


@pytest.mark.parametrize(
    ("seq", "column", "value"),
    [
        (1, "payload", "'[]'"),
        (1, "payload", "'null'"),
        (1, "payload", """'{"pipeline": "suite.work"}'"""),
        (2, "payload", """'{"fence": "first"}'"""),
        (2, "payload", """'"started"'"""),
        (LAST, "payload", "'7'"),
        (2, "type", "'exploded'"),
    ],
)
async def test_an_event_that_tells_nothing_is_named_and_the_rest_is_checked(
    shop: Process, seq: int, column: str, value: str
):
    await unfoldable(shop, seq, column, value)


@ON_SQLITE
@pytest.mark.parametrize(("column", "value"), [("payload", "'{bad'"), ("at", "'yesterday'")])
async def test_an_event_of_no_type_is_named_and_the_rest_is_checked(
    shop: Process, column: str, value: str
):
    await unfoldable(shop, 2, column, value)


@ON_SQLITE
async def test_an_event_whose_number_is_none_is_named(shop: Process):
    ended = await worked(shop)

    await damaged(
        shop, update(execution_events).where(event_of(ended, LAST)).values(seq=text("'x'"))
    )

    assert {"sequence", "fold"} <= {rule for _, rule in await broken(shop)}
    assert ended.execution_id in (await refused(shop)).message


async def test_two_that_would_be_open_for_the_same_are_not_replayed(process: Process):
    for _ in range(2):
        ordered = await process.dispatcher.submit("suite.work")
        await cancel(process.database, REGISTRY, ordered.execution_id)
    await damaged(process, delete(execution_events).where(execution_events.c.type == "cancelled"))

    corrupt = await refused(process, accept_loss=True)

    assert corrupt.message.startswith("The events of 1 execution can't be replayed: ")
    assert "it would be open for the same as" in corrupt.message


async def test_what_the_database_can_not_hold_is_not_replayed(shop: Process):
    ended = await worked(shop)
    fence = f"""'{{"fence": {2**70}}}'"""

    await damaged(
        shop, update(execution_events).where(event_of(ended, 2)).values(payload=text(fence))
    )

    assert "can't hold" in (await refused(shop)).message
