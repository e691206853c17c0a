"""Workers that die, hang, sleep or lose an answer at every place that has a name."""

import asyncio
import signal
from collections.abc import Sequence

import pytest

from spine_common.contracts.routing import work_queue
from spine_common.core.errors import LeaseExpired
from spine_common.core.execution import Event, EventType, Status
from spine_common.core.pipeline import Lane, Stage
from spine_common.framework.failpoints import Failpoint
from spine_common.framework.ports.deadletters import LetterFilter
from spine_common.framework.ports.queries import Window
from spine_common.testing.chaos.arena import Arena, weeks
from spine_common.testing.chaos.fleet import EVERYTHING
from spine_common.testing.chaos.rules import Rule

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.xdist_group("chaos")]

NORMALIZE = work_queue(Stage.NORMALIZE, Lane.NORMAL)
STAGES = ("ingestor", "normalizer", "aggregator")
TWO_NORMALIZERS = (*EVERYTHING, "normalizer-2")
IN_A_WORKER = (
    Failpoint.CLAIM_COMMITTED,
    Failpoint.WORK_DONE,
    Failpoint.COMMIT_BEFORE,
    Failpoint.COMMIT_AFTER,
    Failpoint.ACK_BEFORE,
    Failpoint.RELAY_PUBLISHED,
)


def once(action: str, *places: Failpoint, seconds: float = 0.0) -> list[Rule]:
    """Return rules that do something at each place, once in the scenario."""
    return [Rule(place, action, seconds, nth=1) for place in places]


@pytest.mark.quick
async def test_workers_killed_around_the_commit_and_before_the_ack(scene, told):
    rules = {
        "ingestor": once("kill", Failpoint.COMMIT_AFTER),
        "normalizer": once("kill", Failpoint.COMMIT_BEFORE),
        "aggregator": once("kill", Failpoint.ACK_BEFORE),
        "dlq": once("kill", Failpoint.RELAY_PUBLISHED),
    }
    async with scene(rules=rules) as it:
        await it.order(weeks(4))
        await every_rule_fired(it, 3)
        figures = await it.finish()
    told(figures)


async def test_every_worker_killed_at_every_failpoint(scene, told):
    rules = {name: once("kill", *IN_A_WORKER) for name in STAGES}
    async with scene(rules=rules) as it:
        await it.order(weeks(8))
        await every_rule_fired(it, len(IN_A_WORKER) * len(STAGES))
        figures = await it.finish()
        assert it.fleet.restarts >= figures.faults
    told(figures)


async def every_rule_fired(it: Arena, count: int) -> None:
    async def fired() -> bool:
        return it.fleet.faults() >= count

    await it.until(fired, f"{count} armed faults have happened")
    it.healed()


async def test_workers_whose_commit_went_through_but_its_reply_was_lost(scene, told):
    lost = once("fail", Failpoint.COMMIT_AFTER, Failpoint.CLAIM_COMMITTED)
    async with scene(rules=dict.fromkeys(STAGES, lost)) as it:
        await it.order(weeks(4))
        await every_rule_fired(it, 6)
        figures = await it.finish()
    told(figures)


async def test_relays_killed_between_confirm_and_mark(scene, told):
    rules = {
        name: [Rule(Failpoint.RELAY_PUBLISHED, "kill", nth=n) for n in (1, 2, 3)] for name in STAGES
    }
    async with scene(rules=rules) as it:
        await it.order(weeks(8))
        await every_rule_fired(it, 9)
        figures = await it.finish()
    told(figures)


async def test_a_worker_stopped_past_its_lease_and_continued(scene, told):
    rules = {"normalizer": once("stop", Failpoint.WORK_DONE)}
    async with scene(rules=rules, names=TWO_NORMALIZERS) as it:
        it.fleet["normalizer"].held = True
        await it.order(weeks(6))
        await every_rule_fired(it, 1)
        stopped = await held_by(it, "normalizer")
        await asyncio.sleep(5)  # the lease is two seconds
        it.fleet["normalizer"].send(signal.SIGCONT)
        it.healed()
        figures = await it.finish()
        async with it.platform.database.reading() as tx:
            events = await tx.ledger.events(stopped)
        assert sum(event.type == "started" for event in events) > 1, "nobody took it over"
    told(figures)


async def test_a_worker_stopped_in_the_middle_of_a_heartbeat(scene, told):
    # It holds the execution's row in a transaction nobody but the server can end.
    rules = {
        "normalizer": [
            *once("sleep", Failpoint.WORK_DONE, seconds=2.0),
            *once("stop", Failpoint.LEASE_RENEWED),
        ]
    }
    async with scene(rules=rules, names=TWO_NORMALIZERS) as it:
        it.fleet["normalizer"].held = True
        await it.order(weeks(6))

        await has_stopped(it, "normalizer")
        it.healed()
        figures = await it.finish()
        it.fleet["normalizer"].send(signal.SIGCONT)
        await asyncio.sleep(2)  # it wakes, and finds that all is done
        await it.finish()
    told(figures)


async def has_stopped(it: Arena, name: str) -> None:
    async def stopped() -> bool:
        return any(fault["action"] == "stop" for fault in it.fleet.told("failpoint", name))

    await it.until(stopped, f"{name} has stopped at its failpoint")


async def held_by(it: Arena, name: str):
    process = it.fleet[name].process
    async with it.platform.database.reading() as tx:
        for execution in await tx.ledger.recent(status=Status.RUNNING, limit=100):
            events = await tx.ledger.events(execution.execution_id)
            if str(events[-1].payload.get("owner", "")).endswith(f":{process.pid}"):
                return execution.execution_id
    raise AssertionError(f"{name} holds nothing")


@pytest.mark.quick
async def test_work_that_outlives_its_lease_writes_nothing(scene, told):
    # One worker stops before its commit and wakes when another one is at the same work.
    rules = {
        "normalizer": once("stop", Failpoint.WORK_DONE),
        "normalizer-2": [Rule(Failpoint.WORK_DONE, "sleep", 4.0)],
    }
    # One at a time, so that the next attempt is not given to the one that is stopped.
    async with scene(rules=rules, names=TWO_NORMALIZERS, environment={"SPINE_PREFETCH": "1"}) as it:
        it.fleet["normalizer"].held = True
        await it.order(weeks(2))

        await has_stopped(it, "normalizer")
        left = await held_by(it, "normalizer")

        async def taken_over() -> bool:
            async with it.platform.database.reading() as tx:
                now = await tx.ledger.get(left)
            return now is not None and now.fence > 1 and now.status is Status.RUNNING

        await it.until(taken_over, "another worker is at it")
        it.fleet["normalizer"].send(signal.SIGCONT)
        it.healed()
        figures = await it.finish()
    told(figures)


async def test_an_attempt_that_crashes_is_tried_again_elsewhere(scene, told):
    # A bug is no reason to try again by itself: it waits for a person, who has it tried again.
    rules = {"normalizer": once("crash", Failpoint.WORK_DONE)}
    async with scene(rules=rules) as it:
        await it.order(weeks(3))
        await every_rule_fired(it, 1)
        await it.until(it.all_ended, "the crash is a dead end")
        async with it.platform.database.reading() as tx:
            lost = await tx.ledger.recent(status=Status.DEAD_LETTERED)
            letters = [await tx.dead_letters.of_execution(one.execution_id) for one in lost]
        (letter,) = {one for some in letters for one in some}
        retried = await asyncio.gather(*(it.platform.review.retry(letter) for _ in range(5)))
        assert len({one.execution.execution_id for one in retried if one.execution}) == 1
        # The workflow that was given up stays so; its work is done by the retry.
        it.orders = [one for one in it.orders if one not in {e.execution_id for e in lost}]
        figures = await it.finish()
    told(figures)


async def test_a_message_that_kills_its_worker_dies_alone(scene, told):
    environment = {"SPINE_PREFETCH": "10", "SPINE_MAX_RETRIES": "1"}
    async with scene(environment=environment) as it:
        (first,) = await it.order(weeks(1))
        await it.until(it.all_ended, "the first week is done")
        normalizer = it.fleet["normalizer"]
        normalizer.held = True
        normalizer.kill()
        async with it.platform.database.reading() as tx:
            capture = (await tx.ledger.get(first.execution_id)).result["capture_id"]
        killer = await it.platform.dispatcher.submit(
            "finra.otc_transparency.normalize_week", {"capture_id": capture, "force": True}
        )
        others = await it.order(weeks(9)[1:])

        async def together() -> bool:
            return await it.platform.bus.waiting(NORMALIZE) == 9

        # All of them are handed to the one worker at once: it has room for ten.
        await it.until(together, "the killer and eight others wait side by side")
        normalizer.rules = [
            Rule(Failpoint.WORK_DONE, "sleep", 0.5),
            Rule(Failpoint.WORK_DONE, "kill", only=killer.execution_id),
        ]
        normalizer.held = False
        normalizer.start()

        async def given_up() -> bool:
            async with it.platform.database.reading() as tx:
                now = await tx.ledger.get(killer.execution_id)
            return now is not None and now.status is Status.DEAD_LETTERED

        await it.until(given_up, "the killer is given up")
        it.healed()
        figures = await it.finish(poison=1)
        async with it.platform.database.reading() as tx:
            (letter,) = (await tx.dead_letters.recent(Window(limit=20), LetterFilter())).rows
            steps = [
                step for other in others for step in await tx.ledger.children(other.execution_id)
            ]
            losses = [workers_lost(await tx.ledger.events(step.execution_id)) for step in steps]
            its_own = workers_lost(await tx.ledger.events(killer.execution_id))
        assert letter["execution_id"] == killer.execution_id
        assert its_own > 1, f"seed {it.seed}: it cost {its_own} workers"
        # They were handed out with it once; from then on it was alone.
        assert max(losses) == 1, f"seed {it.seed}: the others lost {losses} workers"
    told(figures)


def workers_lost(events: Sequence[Event]) -> int:
    """Return how often somebody had begun it and was not heard of again."""
    return sum(
        "lost" in event.payload
        or (event.type is EventType.FAILED and event.payload["code"] == LeaseExpired.code)
        for event in events
    )


async def test_twenty_rolling_restarts_poison_nothing(scene, told):
    async with scene() as it:
        await it.order(weeks(30, rows=4000))
        for number in range(20):
            name = STAGES[number % 3]
            await asyncio.sleep(it.random.uniform(0.0, 0.5))
            code = await asyncio.to_thread(stop, it, name)
            assert code == 0, f"{name} did not stop in good order"
            it.inject()
            it.fleet[name].start()
            it.fleet[name].held = False
            await it.fleet[name].ready()
        figures = await it.finish()
        async with it.platform.database.reading() as tx:
            everything = await tx.ledger.recent(limit=1000)
        assert {one.attempt for one in everything} == {1}, "a restart cost an attempt"
    told(figures)


def stop(it: Arena, name: str) -> int:
    it.fleet[name].held = True
    return it.fleet[name].stop()


async def test_clocks_an_hour_off_decide_nothing(scene, told):
    clocks = {"ingestor": 3600.0, "normalizer": -3600.0, "dlq": 3600.0, "scheduler": -3600.0}
    rules = {"aggregator": once("kill", Failpoint.WORK_DONE, Failpoint.COMMIT_AFTER)}
    async with scene(clocks=clocks, rules=rules) as it:
        it.inject(len(clocks))
        await it.order(weeks(6))
        figures = await it.finish()
    told(figures)


async def test_two_of_every_service_do_everything_once(scene, told):
    twice = [f"{name}{twin}" for name in (*STAGES, "dlq", "scheduler") for twin in ("", "-2")]
    rules = {
        name: [
            Rule(Failpoint.WORK_DONE, "kill", nth=1),
            Rule(Failpoint.COMMIT_AFTER, "kill", nth=1),
        ]
        for name in twice
        if name.partition("-")[0] in STAGES
    }
    async with scene(names=twice, rules=rules) as it:
        await it.order(weeks(12))
        await every_rule_fired(it, 6)
        figures = await it.finish()
    told(figures)
