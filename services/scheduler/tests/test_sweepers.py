"""Whether what should have gone on by itself, and has not, goes on after a turn of the sweepers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from spine_common.bootstrap.migrate import migrate
from spine_common.bootstrap.platform import Platform, open_platform
from spine_common.bootstrap.settings import Settings
from spine_common.bootstrap.worker import running
from spine_common.contracts.commands import command_message, command_of
from spine_common.contracts.routing import DEAD_LETTER_QUEUE, work_queue
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import Fence
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework import workflow
from spine_common.framework.deadletters import DeadLetterDesk
from spine_common.framework.lease import LeaseTerms, claim
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.framework.ports.queries import Row, Window
from spine_scheduler.app import SERVICE
from spine_scheduler.leader import take_turn
from spine_scheduler.sweepers.sweep import MOST_AT_ONCE, Sweep

FAILURE = {"kind": "transient", "code": "OSError", "message": "no", "attempt": 1}
QUEUE = work_queue(Stage.AGGREGATE, Lane.NORMAL)


@pytest.fixture(params=["embedded", "distributed"])
async def platform(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Platform]:
    """A process that sweeps but runs no stage, in both lives."""
    distributed = request.param == "distributed"
    settings = Settings(
        data_dir=tmp_path,
        database_url=request.getfixturevalue("postgres_url" if distributed else "sqlite_url"),
        rabbitmq_url=request.getfixturevalue("rabbit_url") if distributed else None,
        heartbeat_seconds=0.1,
        http_port=0,
    )
    async with open_platform(settings, "test") as platform:
        await platform.bus.connect()
        await platform.bus.declare()
        yield platform


async def swept(platform: Platform, patience: float = -1.0) -> dict[str, int]:
    """Take two turns, for leases are looked at twice."""
    sweep = Sweep(platform, patience)
    first = await take_turn(sweep)
    await asyncio.sleep(platform.terms.heartbeat * 1.1)
    second = await take_turn(sweep)
    moved = {name: first[name] + second[name] for name in first}
    return {name: count for name, count in moved.items() if count}


async def order(platform: Platform) -> Execution:
    return await platform.dispatcher.submit("example.hello", {"name": "you"})


async def get(platform: Platform, execution: Execution) -> Execution:
    async with platform.database.reading() as tx:
        found = await tx.ledger.get(execution.execution_id)
    assert found is not None
    return found


async def letters(platform: Platform) -> list[Row]:
    async with platform.database.reading() as tx:
        return (await tx.dead_letters.recent(Window())).rows


async def lost_in_the_broker(platform: Platform) -> Execution:
    """Return an execution whose command was confirmed, marked, and is nowhere."""
    execution = await order(platform)
    async with platform.database.transaction() as tx:
        rows = await tx.outbox.claim(limit=10, lease=30)
        await tx.ledger.record_queued(rows)
        await tx.outbox.mark_sent(rows)
    return await get(platform, execution)


async def claimed_by_the_dead(platform: Platform, execution: Execution, seconds: float) -> None:
    async with platform.database.transaction() as tx:
        terms = LeaseTerms(seconds=seconds)
        taken = await claim(tx, command_of(execution), "dead", terms, alone=True)
        await tx.outbox.withdraw(execution.execution_id)  # as the relay's mark does
    assert isinstance(taken, Execution)


async def waiting_in(platform: Platform, queue: str) -> None:
    while await platform.bus.waiting(queue) == 0:  # noqa: ASYNC110 - the broker tells nobody
        await asyncio.sleep(0.01)


async def test_a_command_lost_by_the_broker_is_published_again(platform: Platform):
    execution = await lost_in_the_broker(platform)

    assert await swept(platform) == {"commands": 1}

    async with platform.database.transaction() as tx:
        (row,) = await tx.outbox.claim(limit=10, lease=30)
    assert row.message.message_id == command_message(execution).message_id
    assert await get(platform, execution) == execution


async def test_with_patience_nothing_is_swept_that_is_young(platform: Platform):
    await lost_in_the_broker(platform)

    assert await swept(platform, patience=60) == {}


async def test_while_its_queue_is_not_empty_a_command_is_not_lost(platform: Platform):
    execution = await lost_in_the_broker(platform)
    publishing = asyncio.create_task(platform.bus.publish(command_message(execution)))
    await asyncio.wait_for(waiting_in(platform, QUEUE), 10)

    assert await swept(platform) == {}
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)


async def test_an_attempt_fails_with_its_worker_and_the_next_is_scheduled(platform: Platform):
    execution = await order(platform)
    await claimed_by_the_dead(platform, execution, -1)

    assert await swept(platform) == {"leases": 1}

    after = await get(platform, execution)
    assert (after.status, after.attempt) == (Status.RETRY_SCHEDULED, 2)
    assert (after.error_code, platform.metrics.lease_expiries._value.get()) == ("LEASE_EXPIRED", 1)


async def test_a_worker_that_is_lost_with_the_last_attempt_is_a_dead_end(platform: Platform):
    execution = await order(platform)
    for _ in range(platform.settings.max_retries + 1):
        await claimed_by_the_dead(platform, await get(platform, execution), -1)
        assert (await swept(platform))["leases"] == 1

    assert (await get(platform, execution)).status is Status.DEAD_LETTERED
    newest, *earlier = await letters(platform)
    assert (newest["state"], newest["code"]) == ("waiting", "LEASE_EXPIRED")
    assert {letter["state"] for letter in earlier} == {"rescheduled"}


async def test_a_worker_cut_off_from_the_database_has_time_to_renew_its_lease(platform: Platform):
    """After an outage every lease is over, and whoever sweeps first must not fail them all."""
    execution = await order(platform)
    await claimed_by_the_dead(platform, execution, -1)
    sweep = Sweep(platform, 60)
    first = await take_turn(sweep)
    working = await get(platform, execution)
    async with platform.database.transaction() as tx:
        assert await tx.ledger.renew(execution.execution_id, Fence(working.fence), 60)

    await asyncio.sleep(platform.terms.heartbeat * 1.1)
    second = await take_turn(sweep)

    assert first["leases"] == second["leases"] == 0
    assert (await get(platform, execution)).status is Status.RUNNING


async def test_a_takeover_that_waits_behind_others_costs_no_attempt(platform: Platform):
    """Its message was put back while the lease of the dead still held, and went out after it."""
    execution = await order(platform)
    await claimed_by_the_dead(platform, execution, -1)
    async with platform.database.transaction() as tx:
        await workflow.order(tx, execution)
        rows = await tx.outbox.claim(limit=10, lease=30)
        await tx.ledger.record_queued(rows)
        await tx.outbox.mark_sent(rows)

    assert await swept(platform, patience=60) == {}
    assert await swept(platform) == {"commands": 1}
    assert (await get(platform, execution)).attempt == 1


async def test_what_waits_in_a_long_queue_does_not_hide_what_is_lost_elsewhere(platform: Platform):
    for number in range(MOST_AT_ONCE):
        await platform.dispatcher.submit(
            "example.hello", {"name": f"n{number}"}, lane=Lane.BACKFILL
        )
    async with platform.database.transaction() as tx:
        rows = await tx.outbox.claim(limit=1000, lease=30)
        await tx.ledger.record_queued(rows)
        await tx.outbox.mark_sent(rows)
    lost = await lost_in_the_broker(platform)
    publishing = asyncio.create_task(platform.bus.publish(rows[0].message))
    await asyncio.wait_for(waiting_in(platform, work_queue(Stage.AGGREGATE, Lane.BACKFILL)), 10)

    assert await swept(platform) == {"commands": 1}

    async with platform.database.transaction() as tx:
        (row,) = await tx.outbox.claim(limit=10, lease=30)
    assert row.execution_id == lost.execution_id
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)


async def test_a_lease_that_holds_is_left_alone(platform: Platform):
    execution = await order(platform)
    await claimed_by_the_dead(platform, execution, 30)

    assert await swept(platform) == {}


async def test_what_a_worker_let_go_of_is_put_back_and_loses_no_attempt(platform: Platform):
    execution = await order(platform)
    await claimed_by_the_dead(platform, execution, 30)
    async with platform.database.transaction() as tx:
        await tx.outbox.withdraw(execution.execution_id)
        await tx.ledger.let_go(execution.execution_id)

    assert await swept(platform, patience=60) == {}
    assert await swept(platform) == {"commands": 1}
    assert await swept(platform) == {}

    after = await get(platform, execution)
    async with platform.database.transaction() as tx:
        (row,) = await tx.outbox.claim(limit=10, lease=30)
    assert (after.status, after.attempt) == (Status.RUNNING, 1)
    assert row.execution_id == execution.execution_id


async def failed(platform: Platform) -> Execution:
    execution = await order(platform)
    async with platform.database.transaction() as tx:
        await tx.outbox.withdraw(execution.execution_id)
        started = await tx.ledger.record(execution, EventType.STARTED, {"fence": 1})
        return await tx.ledger.record(started, EventType.FAILED, FAILURE)


async def test_a_failure_whose_dead_letter_is_lost_is_judged_and_has_a_letter(platform: Platform):
    execution = await failed(platform)

    assert await swept(platform) == {"verdicts": 1}

    after = await get(platform, execution)
    (letter,) = await letters(platform)
    assert (after.status, after.attempt) == (Status.RETRY_SCHEDULED, 2)
    assert (letter["code"], letter["attempt"], letter["state"]) == ("OSError", 1, "rescheduled")


async def test_a_dead_letter_that_comes_after_all_changes_nothing(platform: Platform):
    execution = await failed(platform)
    message = command_message(execution)
    await swept(platform)
    desk = DeadLetterDesk(
        platform.registry, platform.database, platform.policy, platform.relay.nudge
    )

    verdict = await desk.handle(
        Delivery(message.body, {}, DEAD_LETTER_QUEUE, message.message_id, redelivered=False)
    )

    assert verdict is Verdict.ACK
    assert (await get(platform, execution)).attempt == 2
    (letter,) = await letters(platform)
    assert letter["seen"] == 2


async def test_a_parent_nobody_ended_is_ended(platform: Platform, tmp_path: Path):
    parent = await platform.dispatcher.submit(
        "finra.otc_transparency.process_week",
        {"week_ending": "2024-03-08", "tier": "T1", "file_path": str(tmp_path / "none.csv")},
    )
    async with platform.database.transaction() as tx:
        (child,) = await tx.ledger.children(parent.execution_id)
        await tx.outbox.withdraw(child.execution_id)
        await tx.ledger.record(child, EventType.SKIPPED, {"result": {}})

    assert (await swept(platform))["parents"] == 1

    async with platform.database.reading() as tx:
        steps = [child.pipeline for child in await tx.ledger.children(parent.execution_id)]
    assert steps[-1] == "finra.otc_transparency.normalize_week"


async def test_children_of_a_cancelled_parent_are_cancelled(platform: Platform, tmp_path: Path):
    parent = await platform.dispatcher.submit(
        "finra.otc_transparency.process_week",
        {"week_ending": "2024-03-08", "tier": "T1", "file_path": str(tmp_path / "none.csv")},
    )
    async with platform.database.transaction() as tx:
        locked = await tx.ledger.lock(parent.execution_id)
        assert locked is not None
        await tx.ledger.record(locked.execution, EventType.CANCELLED)

    assert (await swept(platform))["parents"] == 1

    async with platform.database.reading() as tx:
        (child,) = await tx.ledger.children(parent.execution_id)
        waiting, _ = await tx.outbox.depth()
    assert (child.status, waiting) == (Status.CANCELLED, 0)


async def test_two_sweepers_at_once_do_everything_once(platform: Platform):
    executions = [await order(platform)]
    await claimed_by_the_dead(platform, executions[0], -1)
    lost = await failed_elsewhere(platform)

    await asyncio.gather(*(swept(platform) for _ in range(4)))

    assert (await get(platform, executions[0])).attempt == 2
    assert (await get(platform, lost)).attempt == 2
    assert len(await letters(platform)) == 2


async def failed_elsewhere(platform: Platform) -> Execution:
    """Return another execution that failed; the order for it differs from the first one's."""
    execution = await platform.dispatcher.submit("example.hello", {"name": "them"})
    async with platform.database.transaction() as tx:
        await tx.outbox.withdraw(execution.execution_id)
        started = await tx.ledger.record(execution, EventType.STARTED, {"fence": 1})
        return await tx.ledger.record(started, EventType.FAILED, FAILURE)


async def test_the_service_sweeps_by_itself(sqlite_url: str, tmp_path: Path):
    settings = Settings(
        data_dir=tmp_path,
        database_url=sqlite_url,
        rabbitmq_url=None,
        sweep_seconds=0.1,
        sweep_patience_seconds=0.1,
        heartbeat_seconds=0.1,
        http_port=0,
    )
    await migrate(settings.database_url)
    async with running([SERVICE], settings) as platform:
        execution = await failed(platform)

        async def judged() -> None:
            while (await get(platform, execution)).status is Status.FAILED:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.05)

        await asyncio.wait_for(judged(), 20)
        assert len(await letters(platform)) == 1
