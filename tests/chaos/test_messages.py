"""Messages that come often, in any order, or are none at all."""

import asyncio
import contextlib
import json

import aio_pika
import pytest

from spine_common.contracts.commands import command_message
from spine_common.contracts.routing import COMMANDS_EXCHANGE
from spine_common.core.errors import NotCancellable
from spine_common.core.execution import Status
from spine_common.core.pipeline import Stage
from spine_common.framework.cancel import cancel
from spine_common.framework.failpoints import Failpoint
from spine_common.framework.ports.deadletters import LetterFilter
from spine_common.framework.ports.queries import Window
from spine_common.testing.chaos.arena import Arena, weeks
from spine_common.testing.chaos.rules import Rule

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.xdist_group("chaos")]

ROAD = "normalize.normal.finra.otc_transparency"
EVENT = {
    "specversion": "1.0",
    "id": "x",
    "source": "/nobody",
    "time": "2024-01-01T00:00:00Z",
    "data": {},
}
POISON = {
    "bad UTF-8": b'{"specversion": "\xff\xfe"}',
    "truncated": b'{"specversion": "1.0", "id": "1", "type": "spine.command.norm',
    "deep": b"[" * 60_000,
    "no event": b'{"hello": "world"}',
    "an unknown version": json.dumps({**EVENT, "type": "spine.command.normalize.v99"}).encode(),
    "an unknown type": json.dumps({**EVENT, "type": "somebody.elses.v1"}).encode(),
    "no data": json.dumps({**EVENT, "type": "spine.command.normalize.v1"}).encode(),
    "empty": b"",
    "20 MB": b"x" * 20_000_000,
}


async def send(it: Arena, *bodies: bytes, road: str = ROAD, message_id: str | None = None) -> None:
    connection = await aio_pika.connect(it.broker_url)
    async with connection, connection.channel() as channel:
        exchange = await channel.get_exchange(COMMANDS_EXCHANGE)
        for body in bodies:
            await exchange.publish(
                aio_pika.Message(
                    body,
                    message_id=message_id,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                    reply_to="spine.normalize.normal",
                ),
                road,
            )


@pytest.mark.quick
async def test_poison_among_healthy_traffic(scene, told):
    async with scene() as it:
        sending = asyncio.create_task(send(it, *POISON.values()))
        await it.order(weeks(6))
        await sending
        it.inject(len(POISON))

        async def all_kept() -> bool:
            async with it.platform.database.reading() as tx:
                return (await tx.dead_letters.recent(Window())).total == len(POISON)

        await it.until(all_kept, "all poison is kept")
        figures = await it.finish(poison=len(POISON))
        assert it.fleet.restarts == 0
        async with it.platform.database.reading() as tx:
            letters = (await tx.dead_letters.recent(Window())).rows
            kept = [await tx.dead_letters.show(row["dead_letter_id"]) for row in letters]
        assert sorted(one["body"] for one in kept) == sorted(POISON.values())
        assert {one["kind"] for one in kept} == {"poison"}
    told(figures)


async def test_dead_letter_services_killed_while_they_keep_letters(scene, told):
    points = (Failpoint.LETTER_BEFORE, Failpoint.LETTER_AFTER, Failpoint.ACK_BEFORE)
    rules = {name: [Rule(point, "kill", nth=1) for point in points] for name in ("dlq", "dlq-2")}
    names = ("ingestor", "normalizer", "aggregator", "dlq", "dlq-2", "scheduler")
    async with scene(rules=rules, names=names) as it:
        await send(it, *POISON.values())
        await it.order(weeks(4))

        async def all_kept() -> bool:
            async with it.platform.database.reading() as tx:
                return (await tx.dead_letters.recent(Window())).total == len(POISON)

        await it.until(all_kept, "all poison is kept")
        it.healed()
        figures = await it.finish(poison=len(POISON))
        assert figures.faults == len(points)
    told(figures)


@pytest.mark.quick
async def test_every_message_three_times_and_shuffled(scene, told):
    async with scene() as it:
        stages = ("ingestor", "normalizer", "aggregator")
        await it.order(weeks(8))
        sent = set()
        over = False
        while not over:
            # Asked first, so that the messages of what ended last are sent again, too.
            over = await it.all_ended()
            async with it.platform.database.reading() as tx:
                known = await tx.ledger.recent(limit=200)
            work = [one for one in known if one.stage is not Stage.WORKFLOW]
            fresh = [one for one in work if (one.execution_id, one.status) not in sent]
            sent |= {(one.execution_id, one.status) for one in fresh}
            copies = fresh * 3
            it.random.shuffle(copies)
            for one in copies:
                await it.platform.bus.publish(command_message(one))
            it.inject(len(copies))
            await asyncio.sleep(0.2)
        figures = await it.finish()
        async with it.platform.database.reading() as tx:
            executions = await tx.ledger.recent(limit=200)
            letters = await tx.dead_letters.recent(Window())
        assert letters.total == 0, "duplicates were refused instead of acked"
        assert len(executions) == 8 * (1 + len(stages))
        assert {one.attempt for one in executions} == {1}
    told(figures)


async def test_two_last_children_of_a_parent_finishing_together(scene, told):
    # No scheduler: a sweeper would end a parent that its children have missed.
    names = ("normalizer", "normalizer-2", "ingestor", "aggregator", "dlq")
    async with scene(names=names) as it:
        await it.order(weeks(2))
        await it.until(it.all_ended, "two weeks are there")
        for number in range(200):
            parent = await it.platform.dispatcher.submit(
                "finra.otc_transparency.normalize_week", {"force": True}
            )
            async with it.platform.database.reading() as tx:
                assert len(await tx.ledger.children(parent.execution_id)) == 2

            async def ended(one=parent) -> bool:
                async with it.platform.database.reading() as tx:
                    now = await tx.ledger.get(one.execution_id)
                return now is not None and now.status is Status.COMPLETED

            await it.until(ended, f"parent {number} has ended", patience=20)
        it.inject(200)
        figures = await it.finish()
    told(figures)


async def test_cancelled_while_it_runs(scene, told):
    async with scene() as it:
        orders = await it.order(weeks(20, rows=2000))
        stopped = []
        for order in orders[::2]:
            await asyncio.sleep(it.random.uniform(0.0, 0.15))
            with contextlib.suppress(NotCancellable):
                await cancel(it.platform.database, it.platform.registry, order.execution_id)
                stopped.append(order.execution_id)
        it.inject(len(stopped))
        assert stopped, "everything had ended before it could be cancelled"
        await it.until(it.all_ended, "everything has ended")
        async with it.platform.database.reading() as tx:
            for one in stopped:
                ends = [event.type.value for event in await tx.ledger.events(one)]
                assert ends[-1] == "cancelled"
                assert sum(end in {"cancelled", "completed"} for end in ends) == 1
                assert not any(child.is_open for child in await tx.ledger.children(one))
        # What was cancelled is ordered again, and done.
        kept = [
            week for number, week in enumerate(it.ordered) if orders[number].execution_id in stopped
        ]
        it.orders = [one for one in it.orders if one not in stopped]
        again = list(it.ordered)
        await it.order(kept)
        it.ordered = again
        figures = await it.finish()
    told(figures)


async def test_concurrent_retries_of_many_dead_letters(scene, told):
    async with scene(environment={"SPINE_MAX_RETRIES": "0"}) as it:
        missing = [
            await it.platform.dispatcher.submit(
                "finra.otc_transparency.ingest_week", {"file_path": f"missing-{number}.csv"}
            )
            for number in range(10)
        ]
        await it.until(it.all_ended, "all are given up")
        reviews = await asyncio.gather(
            *(it.platform.review.retry_all(LetterFilter()) for _ in range(4))
        )
        it.inject(sum(map(len, reviews)))
        await it.until(it.all_ended, "the retries are given up, too")
        async with it.platform.database.reading() as tx:
            children = [await tx.ledger.children(one.execution_id) for one in missing]
        assert [len(some) for some in children] == [1] * 10
        figures = await it.finish(poison=10)
    told(figures)
