"""Whether a process that hears nothing asks to be restarted, and one without a broker does not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from spine_common.adapters.bus.rabbit import RabbitBus
from spine_common.bootstrap.hearing import Hearing
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.testing.servers import Household, private_rabbit

QUEUE = "spine.normalize.normal"


async def take(_delivery: Delivery) -> Verdict:
    return Verdict.ACK


@pytest.fixture
async def bus(rabbit_url: str) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(rabbit_url)
    await bus.connect()
    await bus.declare()
    await bus.consume(QUEUE, take, prefetch=1)
    yield bus
    await bus.close(grace=0)


async def test_a_process_that_hears_is_alive(bus: RabbitBus):
    hearing = Hearing(bus, patience=0.0, expected=1)

    await hearing.look()

    assert hearing.is_alive()


async def test_a_process_that_is_deaf_for_too_long_is_dead(bus: RabbitBus):
    hearing = Hearing(bus, patience=0.2, expected=2)

    await hearing.look()
    assert hearing.is_alive()
    await asyncio.sleep(0.3)
    await hearing.look()

    assert not hearing.is_alive()


async def test_a_process_that_hears_again_is_alive(bus: RabbitBus):
    hearing = Hearing(bus, patience=0.0, expected=2)
    await hearing.look()
    assert not hearing.is_alive()

    await bus.consume("spine.normalize.slow", take, prefetch=1)
    await hearing.look()

    assert hearing.is_alive()


@pytest.mark.slow
async def test_while_the_broker_is_away_nobody_is_deaf(own_household: Household):
    server = private_rabbit(own_household)
    bus = RabbitBus(server.new_vhost())
    await bus.connect()
    await bus.declare()
    await bus.consume(QUEUE, take, prefetch=1)
    hearing = Hearing(bus, patience=0.0, expected=1)
    await asyncio.to_thread(server.stop)

    await hearing.look()

    assert bus.live_consumers() == 0
    assert hearing.is_alive()
    await bus.close(grace=0)
