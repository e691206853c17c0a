"""A broker that dies, forgets, blocks, or loses what it was trusted with."""

import asyncio
from urllib.parse import quote, urlsplit

import pytest

from spine_common.contracts.routing import COMMANDS_EXCHANGE, work_binding, work_queue
from spine_common.core.pipeline import WORK_STAGES, Lane, Stage
from spine_common.framework.failpoints import Failpoint
from spine_common.testing.chaos.arena import Arena, weeks
from spine_common.testing.chaos.rules import Rule

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.xdist_group("chaos")]

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)


def in_vhost(it: Arena, kind: str, rest: str = "") -> str:
    """Return the management path of something in the scenario's virtual host."""
    vhost = quote(urlsplit(it.broker_url).path.removeprefix("/"), safe="")
    return f"/api/{kind}/{vhost}{rest}"


async def manage(it: Arena, method: str, path: str, body: object = None) -> object:
    return await asyncio.to_thread(it.rabbit.management.call, method, path, body)


async def red_then_green(it: Arena, name: str = "normalizer") -> None:
    """While something is away readiness is red and liveness green."""

    async def red() -> bool:
        status, _ = await asyncio.to_thread(it.fleet[name].get, "/health/ready")
        return status == 503

    await it.until(red, "readiness turns red", patience=30)
    status, _ = await asyncio.to_thread(it.fleet[name].get, "/health/live")
    assert status == 200, "liveness turned red: a restart would not help"


async def test_a_broker_killed_five_times_under_load(breakable_scene, told):
    async with breakable_scene() as it:
        await asyncio.sleep(10)  # a queue killed within seconds of its declaration is lost
        await it.order(weeks(30, rows=2000))
        for _ in range(5):
            await asyncio.sleep(it.random.uniform(0.2, 1.5))
            await asyncio.to_thread(it.rabbit.kill)
            await asyncio.to_thread(it.rabbit.start)
            it.inject()
        await it.fleet.ready()
        figures = await it.finish()
        assert it.fleet.restarts == 0, "a process had to be restarted"
    told(figures)


async def test_readiness_is_red_and_liveness_green_while_the_broker_is_away(breakable_scene, told):
    async with breakable_scene() as it:
        await asyncio.sleep(10)
        await asyncio.to_thread(it.rabbit.stop)
        it.inject()
        await it.order(weeks(3))
        await red_then_green(it)
        await asyncio.to_thread(it.rabbit.start)
        it.healed()
        await it.fleet.ready()
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


@pytest.mark.quick
async def test_a_queue_purged_while_work_waits_in_it(scene, told):
    async with scene() as it:
        it.fleet["normalizer"].held = True
        it.fleet["normalizer"].kill()
        await it.order(weeks(6))

        async def waiting() -> bool:
            return await it.platform.bus.waiting(NORMALIZE) == 6

        await it.until(waiting, "six commands wait")
        await manage(it, "DELETE", in_vhost(it, "queues", f"/{NORMALIZE}/contents"))
        it.inject()
        it.fleet["normalizer"].held = False
        figures = await it.finish()
    told(figures)


async def test_a_queue_deleted_live(scene, told):
    async with scene() as it:
        await it.order(weeks(10, rows=2000))
        await asyncio.sleep(1)
        for stage in WORK_STAGES:
            name = work_queue(stage, Lane.NORMAL)
            await manage(it, "DELETE", in_vhost(it, "queues", f"/{name}"))
            it.inject()
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


@pytest.mark.quick
async def test_a_queue_unbound(scene, told):
    async with scene() as it:
        binding = quote(work_binding(Stage.AGGREGATE, Lane.NORMAL), safe="")
        queue = work_queue(Stage.AGGREGATE, Lane.NORMAL)
        where = in_vhost(it, "bindings", f"/e/{COMMANDS_EXCHANGE}/q/{queue}/{binding}")
        await manage(it, "DELETE", where)
        it.inject()
        await it.order(weeks(5))
        figures = await it.finish()
    told(figures)


async def test_memory_and_disk_alarms(breakable_scene, told):
    async with breakable_scene() as it:
        await it.order(weeks(12, rows=2000))
        for raise_, clear in (
            (
                ("set_vm_memory_high_watermark", "0.00001"),
                ("set_vm_memory_high_watermark", "0.4"),
            ),
            (("set_disk_free_limit", "1000000GB"), ("set_disk_free_limit", "50MB")),
        ):
            await asyncio.to_thread(it.rabbit.ctl, *raise_)
            it.inject()
            await it.order(weeks(it.faults * 4 + 12, rows=2000)[-4:])
            await asyncio.sleep(8)
            await asyncio.to_thread(it.rabbit.ctl, *clear)
            it.healed()
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


@pytest.fixture
def impatient(breakable):
    """Let the broker close channels that hold a delivery for 5 s, and look every second."""
    _, rabbit = breakable
    for name, value in (("consumer_timeout", 5000), ("channel_tick_interval", 1000)):
        rabbit.ctl("eval", f"application:set_env(rabbit, {name}, {value}).")
    yield
    for name, value in (("consumer_timeout", 1_800_000), ("channel_tick_interval", 60_000)):
        rabbit.ctl("eval", f"application:set_env(rabbit, {name}, {value}).")


@pytest.mark.usefixtures("impatient")
async def test_a_consumer_timeout_shorter_than_the_work(breakable_scene, told):
    # The channel is closed under the worker, and the message comes again while it still works.
    rules = {"normalizer": [Rule(Failpoint.WORK_DONE, "sleep", 20.0, nth=1)]}
    async with breakable_scene(rules=rules) as it:
        it.inject()
        await it.order(weeks(4))
        figures = await it.finish()
        assert it.fleet.restarts == 0
        async with it.platform.database.reading() as tx:
            everything = [
                await tx.ledger.events(one.execution_id) for one in await tx.ledger.recent()
            ]
        starts = [sum(event.type == "started" for event in events) for events in everything]
        assert max(starts) > 1, "the broker was patient after all"
    told(figures)


async def test_work_in_a_thread_that_outlives_its_connections(scene, told):
    # Nobody waits for the thread any more, but nothing can stop it either. The message comes
    # again, and is done beside it: without a new attempt, and the thread's result is nobody's.
    rules = {"normalizer": [Rule(Failpoint.WORK_DONE, "thread", 10.0, nth=1)]}
    async with scene(rules=rules) as it:
        await it.order(weeks(4))

        async def computing() -> bool:
            return it.fleet.faults() == 1

        await it.until(computing, "a computation is in its thread")
        it.broker.reset()
        it.database.reset()
        it.inject(2)
        figures = await it.finish()
        assert it.fleet.restarts == 0
        async with it.platform.database.reading() as tx:
            everything = await tx.ledger.recent(limit=100)
        normalized = [one for one in everything if one.stage is Stage.NORMALIZE]
        assert max(one.fence for one in normalized) > 1, "no message came again"
        assert {one.attempt for one in normalized} == {1}
    told(figures)


async def test_every_connection_to_the_broker_reset_again_and_again(scene, told):
    async with scene() as it:
        await it.order(weeks(12, rows=1000))
        for _ in range(6):
            await asyncio.sleep(it.random.uniform(0.1, 0.6))
            it.broker.reset()
            it.inject()
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


async def test_a_slow_and_silent_network_to_the_broker(scene, told):
    async with scene() as it:
        await it.order(weeks(8, rows=1000))
        it.broker.delay = 0.2
        await asyncio.sleep(3)
        it.broker.silence()
        it.inject(2)
        await asyncio.sleep(25)
        it.broker.heal()
        it.broker.reset()
        it.healed()
        figures = await it.finish()
    told(figures)


async def test_a_full_queue_holds_up_only_itself(scene, told):
    async with scene() as it:
        it.fleet["normalizer"].held = True
        it.fleet["normalizer"].kill()
        await manage(
            it,
            "PUT",
            in_vhost(it, "policies", "/small"),
            {"pattern": f"^{NORMALIZE}$", "definition": {"max-length": 3}, "apply-to": "queues"},
        )
        it.inject()
        await it.order(weeks(30))

        async def all_captured() -> bool:
            async with it.platform.database.reading() as tx:
                partitions = await tx.captures.partitions("finra.otc_transparency")
            return len(partitions) == 30

        await it.until(all_captured, "every week is captured though the next queue is full")
        assert await it.platform.bus.waiting(NORMALIZE) < 30
        it.fleet["normalizer"].held = False
        it.healed()
        figures = await it.finish()
    told(figures)
