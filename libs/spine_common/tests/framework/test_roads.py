"""Whether a road that takes nothing holds up only what goes down it, and is tried again."""

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from spine_common.core.errors import QueueFull
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.framework.relay import Relay
from spine_common.framework.roads import Roads

from .conftest import Process, until
from .test_relay import Door, depth, message, put

NOWHERE = "nowhere.normal.suite"


def test_a_road_is_tried_less_and_less_often():
    roads = Roads(first=0.01, longest=0.05)
    waits = []
    for _ in range(5):
        waits.append(roads.refuse("a", "full"))
        assert roads.blocked() == ["a"]
        time.sleep(waits[-1] + 0.005)
        assert roads.blocked() == []

    assert waits == sorted(waits)
    assert max(waits) == pytest.approx(0.05)


def test_refusals_of_what_was_under_way_together_are_one():
    roads = Roads(first=1.0, longest=100.0)

    waits = [roads.refuse("a", "full") for _ in range(10)]

    assert max(waits) <= 2.0


def test_a_message_that_gets_through_opens_its_road_only():
    roads = Roads(first=10.0, longest=100.0)
    roads.refuse("a", "full")
    roads.refuse("b", "full")

    roads.accept("a")

    assert roads.blocked() == ["b"]


def test_the_log_says_once_that_a_road_is_blocked_and_once_that_it_is_open():
    roads = Roads(first=0.0, longest=0.0)

    with capture_logs() as logs:
        for _ in range(10):
            roads.refuse("a", "full")
        for _ in range(10):
            roads.accept("a")

    assert [(entry["event"], entry["road"]) for entry in logs] == [
        ("road_blocked", "a"),
        ("road_open", "a"),
    ]


async def test_what_can_not_be_routed_holds_up_nothing_else(process: Process):
    door = Door()
    await process.bus.consume("spine.normalize.normal", door, prefetch=4)
    await put(process.database, *(message(n, NOWHERE) for n in range(100)))
    await put(process.database, *(message(n) for n in range(100, 120)))

    process.relaying()

    async def all_came() -> bool:
        return sum(door.came.values()) == 20

    await until(all_came)
    assert await depth(process.database) >= 100


async def test_a_full_queue_is_not_asked_again_and_again(process: Process):
    class Full:
        """The bus of the process, but one of its queues takes nothing until there is room."""

        def __init__(self) -> None:
            self.asked = 0
            self.has_room = False

        async def publish(self, one) -> None:
            if one.routing_key == NOWHERE and not self.has_room:
                self.asked += 1
                raise QueueFull("full")
            await process.bus.publish(one)

    async def take(_delivery: Delivery) -> Verdict:
        return Verdict.ACK

    await process.bus.consume("spine.normalize.normal", take, prefetch=4)
    full = Full()
    relay = Relay(process.database, full, interval=0.05, lease=3.0)
    await put(process.database, *(message(n, NOWHERE) for n in range(20)))
    relaying = asyncio.create_task(relay.run())
    await asyncio.sleep(1.0)

    assert 20 <= full.asked <= 20 * 6
    assert await depth(process.database) == 20
    await relay.stop()
    await relaying
