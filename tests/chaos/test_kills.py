"""A stage service killed at work and started again: same numbers, nothing lost or done twice."""

import asyncio
import time
from datetime import date, timedelta
from pathlib import Path

import pytest

from spine_common.bootstrap.platform import Platform
from spine_common.core.execution import Execution, Status
from spine_common.core.pipeline import Stage, TriggerSource
from spine_common.testing.cluster import Cluster
from spine_common.testing.soundness import at_rest, check_ledger, digests, ended
from spine_common.testing.synthetic import NMS_TIER_1, Week, write

pytestmark = [pytest.mark.chaos, pytest.mark.slow]

STAGE_OF = {
    "ingestor": Stage.INGEST,
    "normalizer": Stage.NORMALIZE,
    "aggregator": Stage.AGGREGATE,
}
WEEKS = [Week(date(2024, 3, 8) + timedelta(weeks=n), NMS_TIER_1, rows=30_000) for n in range(6)]


async def order_all(platform: Platform, folder: Path) -> list[Execution]:
    return [
        await platform.dispatcher.submit(
            "finra.otc_transparency.process_week",
            {"file_path": await platform.upload(path)},
            trigger_source=TriggerSource.CLI,
        )
        for path in (write(week, folder) for week in WEEKS)
    ]


async def caught_at_work(platform: Platform, stage: Stage, patience: float = 60.0) -> Execution:
    """Return an execution of the stage that is running right now."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        async with platform.database.reading() as tx:
            running = await tx.ledger.recent(status=Status.RUNNING, limit=100)
        at_work = [execution for execution in running if execution.stage is stage]
        if at_work:
            return at_work[0]
        await asyncio.sleep(0.005)
    raise AssertionError(f"no {stage} was ever seen running")


async def kill_until_hit(platform: Platform, cluster: Cluster, name: str) -> Execution:
    """Kill the service in the middle of an execution, start it again, and return that one."""
    for _ in range(4):
        seen = await caught_at_work(platform, STAGE_OF[name])
        cluster[name].kill()
        async with platform.database.reading() as tx:
            victim = await tx.ledger.get(seen.execution_id)
        cluster[name].start()
        await cluster[name].ready()
        if victim is not None and victim.status is Status.RUNNING:
            return victim
    raise AssertionError(f"every kill of {name} came after a commit")


async def test_every_stage_killed_at_work_and_restarted_gives_the_same_tables(
    embedded: Platform, client: Platform, cluster: Cluster, tmp_path: Path
) -> None:
    relaying = asyncio.create_task(client.relay.run())
    orders = await order_all(client, tmp_path)
    victims = [await kill_until_hit(client, cluster, name) for name in STAGE_OF]

    executions = await ended(client, [order.execution_id for order in orders], patience=120)
    assert {execution.status for execution in executions} == {"completed"}
    await at_rest(client)
    await client.relay.stop()
    await relaying

    reference = await order_all(embedded, tmp_path)
    await ended(embedded, [order.execution_id for order in reference], patience=120)
    assert await digests(client) == await digests(embedded)
    assert await check_ledger(client) == await check_ledger(embedded) == 4 * len(WEEKS)
    for victim in victims:
        async with client.database.reading() as tx:
            events = await tx.ledger.events(victim.execution_id)
        fences = [event.payload["fence"] for event in events if event.type == "started"]
        assert len(fences) > 1, "the killed worker's execution was not taken over"
        assert fences == sorted(set(fences)), "a take-over has a higher fence"
