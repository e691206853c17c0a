"""Half an hour in which everything that can break does, at random, under steady load."""

import asyncio
import os
import signal
import time

import pytest

from spine_common.testing.chaos.arena import Arena, weeks

from .test_database import BACKENDS

MINUTES = float(os.environ.get("SPINE_SOAK_MINUTES", "30"))


async def kill_a_service(it: Arena) -> None:
    it.fleet[it.random.choice(list(it.fleet.replicas))].kill()


async def stop_a_service(it: Arena) -> None:
    it.fleet[it.random.choice(list(it.fleet.replicas))].send(signal.SIGTERM)


async def freeze_a_service(it: Arena) -> None:
    frozen = it.fleet[it.random.choice(list(it.fleet.replicas))]
    frozen.send(signal.SIGSTOP)
    await asyncio.sleep(it.random.uniform(0.5, 5.0))
    frozen.send(signal.SIGCONT)


async def kill_the_broker(it: Arena) -> None:
    await asyncio.to_thread(it.rabbit.kill)
    await asyncio.sleep(it.random.uniform(0.0, 3.0))
    await asyncio.to_thread(it.rabbit.start)


async def kill_the_database(it: Arena) -> None:
    await asyncio.to_thread(it.postgres.kill)
    await asyncio.sleep(it.random.uniform(0.0, 3.0))
    await asyncio.to_thread(it.postgres.start)


async def reset_connections(it: Arena) -> None:
    it.random.choice([it.database, it.broker]).reset()


async def silence_a_network(it: Arena) -> None:
    silent = it.random.choice([it.database, it.broker])
    silent.silence()
    await asyncio.sleep(it.random.uniform(1.0, 8.0))
    silent.heal()


async def lose_a_reply(it: Arena) -> None:
    it.database.swallow_reply_to(b"COMMIT", times=it.random.randint(1, 3))


async def kill_backends(it: Arena) -> None:
    await asyncio.to_thread(it.postgres.ask, it.database_url, BACKENDS)


FAULTS = (
    *(kill_a_service,) * 4,
    *(stop_a_service, freeze_a_service, reset_connections, lose_a_reply, kill_backends) * 3,
    silence_a_network,
    kill_the_broker,
    kill_the_database,
)


@pytest.mark.soak
@pytest.mark.chaos
@pytest.mark.slow
async def test_a_soak(breakable_scene, told):
    environment = {"SPINE_MAX_RETRIES": "20", "SPINE_RETRY_BASE_SECONDS": "0.2"}
    names = (
        *("ingestor", "normalizer", "normalizer-2", "aggregator", "aggregator-2"),
        *("dlq", "dlq-2", "scheduler", "scheduler-2"),
    )
    async with breakable_scene(names=names, environment=environment) as it:
        await asyncio.sleep(10)  # a queue killed within seconds of its declaration is lost
        every, done = weeks(2000, rows=500), 0
        until = time.monotonic() + MINUTES * 60
        while time.monotonic() < until:
            fault = it.random.choice(FAULTS)
            breaking = asyncio.create_task(fault(it))
            if fault is not kill_the_database:
                await ordered(it, every[done : done + 2])
                done += 2
            await breaking
            it.inject()
            await asyncio.sleep(it.random.uniform(0.5, 4.0))
        it.database.heal()
        it.patience = 180.0
        figures = await it.finish()
    told(figures)


async def ordered(it: Arena, some) -> None:
    """Order weeks, as often as it takes: whoever orders hears when it did not work."""

    async def accepted() -> bool:
        await it.order(some)
        return True

    await it.until(accepted, "the order is accepted", patience=60)
