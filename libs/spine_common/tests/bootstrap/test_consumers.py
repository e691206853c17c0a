"""Whether the consumers of one process know of each other."""

import asyncio
from pathlib import Path

from spine_common.bootstrap.platform import open_platform
from spine_common.bootstrap.service import Service
from spine_common.bootstrap.settings import Settings
from spine_common.bootstrap.worker import running
from spine_common.contracts.commands import Command, command_of
from spine_common.core.pipeline import WORK_STAGES
from spine_common.framework.context import StageContext
from spine_common.framework.lease import LeaseTerms, claim
from spine_common.framework.stage import PlainResult, StageOutput

NORMALIZE = "finra.otc_transparency.normalize_week"
CAPTURE = "otc_transparency.2025-11-14.NMS_TIER_1.v1.00000000"


async def test_what_lost_a_worker_is_alone_in_the_process_whatever_its_stage(
    sqlite_url: str, tmp_path: Path
):
    arrived, leave = asyncio.Event(), asyncio.Event()

    async def stay(_command: Command, _context: StageContext) -> StageOutput:
        arrived.set()
        await leave.wait()
        return PlainResult({})

    services = [
        *(Service(stage, {stage: stay}) for stage in WORK_STAGES),
        Service("dlq", dead_letters=True),
    ]
    settings = Settings(database_url=sqlite_url, data_dir=tmp_path, http_port=0)
    async with open_platform(settings) as dead:
        suspect = await dead.dispatcher.submit(NORMALIZE, {"capture_id": CAPTURE})
        async with dead.database.transaction() as tx:
            await claim(tx, command_of(suspect), "dead", LeaseTerms(seconds=-1.0), alone=True)

    async with asyncio.timeout(20), running(services, settings) as platform:
        await arrived.wait()
        other = await platform.dispatcher.submit("example.hello", {"name": "you"})
        await asyncio.sleep(0.5)
        async with platform.database.reading() as tx:
            assert await tx.ledger.get(other.execution_id) == other

        leave.set()

        ended = other
        while ended.is_open:
            await asyncio.sleep(0.02)
            async with platform.database.reading() as tx:
                ended = await tx.ledger.get(other.execution_id) or other
        assert ended.result == {"greeting": "Hello, you!"}
