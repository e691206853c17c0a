"""A database that restarts, hangs, loses an answer, takes no writes or has no room."""

import asyncio
import contextlib
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from spine_common.core.errors import DatabaseUnavailable
from spine_common.framework.failpoints import Failpoint
from spine_common.testing.chaos.arena import Arena, weeks
from spine_common.testing.chaos.rules import Rule
from spine_common.testing.servers import Household, private_postgres

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.xdist_group("chaos")]

BACKENDS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND application_name LIKE 'spine-%' AND application_name <> 'spine-test'"
)


async def ask(it: Arena, question: str) -> object:
    return await asyncio.to_thread(it.postgres.ask, it.database_url, question)


async def test_a_database_killed_again_and_again_under_load(breakable_scene, told):
    async with breakable_scene() as it:
        await it.order(weeks(20, rows=2000))
        for _ in range(4):
            await asyncio.sleep(it.random.uniform(0.3, 1.5))
            await asyncio.to_thread(it.postgres.kill)
            await asyncio.sleep(it.random.uniform(0.0, 2.0))
            await asyncio.to_thread(it.postgres.start)
            it.inject()
        figures = await it.finish()
        assert it.fleet.restarts == 0, "a process had to be restarted"
    told(figures)


async def test_readiness_is_red_and_liveness_green_while_the_database_is_away(
    breakable_scene, told
):
    async with breakable_scene() as it:
        await it.order(weeks(6, rows=2000))
        await asyncio.to_thread(it.postgres.stop)
        it.inject()

        async def red() -> bool:
            status, _ = await asyncio.to_thread(it.fleet["normalizer"].get, "/health/ready")
            return status == 503

        await it.until(red, "readiness turns red", patience=30)
        status, _ = await asyncio.to_thread(it.fleet["normalizer"].get, "/health/live")
        assert status == 200
        await asyncio.sleep(5)
        await asyncio.to_thread(it.postgres.start)
        it.healed()
        await it.fleet.ready()
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


async def test_backends_killed_in_the_middle_of_transactions(scene, told):
    async with scene() as it:
        await it.order(weeks(12, rows=3000))
        for _ in range(10):
            await asyncio.sleep(it.random.uniform(0.05, 0.5))
            it.inject(int(str(await ask(it, BACKENDS)) or 0))
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


@pytest.mark.quick
async def test_replies_to_commit_dropped(scene, told):
    async with scene() as it:
        await it.order(weeks(8))
        for _ in range(8):
            it.database.swallow_reply_to(b"COMMIT")
            await asyncio.sleep(it.random.uniform(0.1, 0.5))
        it.database.heal()
        it.inject(it.database.swallowed)
        figures = await it.finish()
        assert it.database.swallowed >= 4, "the fault hardly ever happened"
        assert it.fleet.restarts == 0
    told(figures)


async def test_a_database_connection_half_open_for_90_seconds(scene, told):
    async with scene() as it:
        await it.order(weeks(8, rows=2000))
        await asyncio.sleep(1)
        it.database.silence()
        it.inject()
        await asyncio.sleep(90)
        it.database.heal()
        it.database.reset()
        it.healed()
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


async def test_a_database_read_only_for_a_while(scene, told):
    async with scene() as it:
        await it.order(weeks(8, rows=1000))
        name = it.database_url.rpartition("/")[2]
        await ask(it, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        await ask(it, BACKENDS)  # connections of a failed-over pool: they see it now
        it.inject()
        await asyncio.sleep(6)
        # By a database of its own: this one takes no writes, not even of settings.
        reset = f'ALTER DATABASE "{name}" RESET ALL'
        await asyncio.to_thread(it.postgres.ask, it.postgres.url, reset)
        it.healed()
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


async def test_a_slow_database(scene, told):
    async with scene() as it:
        it.database.delay = 0.05
        it.inject()
        await it.order(weeks(4))
        await it.until(it.all_ended, "all ends although every answer comes late", patience=150)
        it.database.delay = 0.0
        it.healed()
        figures = await it.finish()
    told(figures)


async def test_a_worker_that_hears_too_late_that_its_claim_was_committed(scene, told):
    rules = {"ingestor": [Rule(Failpoint.CLAIM_COMMITTED, "fail", nth=n) for n in (1, 2, 3)]}
    async with scene(rules=rules) as it:
        await it.order(weeks(6))
        figures = await it.finish()
        assert figures.faults == 3
    told(figures)


@pytest.fixture
def small_disk(tmp_path: Path):
    """Mount a disk of 3 MB, which is little."""
    folder = tmp_path / "objects"
    folder.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    options = ["-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if mount is None or unmount is None or _run(mount, *options):
        pytest.fail("This scenario mounts a small disk: run it as root on Linux.")
    yield folder
    _run(unmount, "-l", str(folder))


@pytest.fixture
def cramped(tmp_path_factory: pytest.TempPathFactory, own_household: Household):
    """Start a server and mount a disk of 24 MB for the tables of one of its databases."""
    folder = tmp_path_factory.mktemp("tables")
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    owner = pwd.getpwnam("postgres")
    options = f"size=24m,mode=700,uid={owner.pw_uid},gid={owner.pw_gid}"
    if mount is None or unmount is None:
        pytest.fail("This scenario mounts a small disk: run it as root on Linux.")
    assert _run(mount, "-t", "tmpfs", "-o", options, "tmpfs", str(folder)) == 0
    postgres = private_postgres(own_household)
    name = f"small_{folder.name}"
    postgres.ask(postgres.url, f"CREATE TABLESPACE {name} LOCATION '{folder}'")

    async def furnish(url: str) -> None:
        database = url.rpartition("/")[2]
        setting = f'ALTER DATABASE "{database}" SET default_tablespace = {name}'
        await asyncio.to_thread(postgres.ask, url, setting)

    yield postgres, folder, furnish
    postgres.kill()
    _run(unmount, "-l", str(folder))


async def test_a_database_without_room(cramped, scene_on, told):
    postgres, disk, furnish = cramped
    async with scene_on(postgres)(furnish=furnish) as it:
        await it.order(weeks(8, rows=1500))
        filler = disk / "filler"
        _fill(filler)
        it.inject()
        with contextlib.suppress(DatabaseUnavailable):
            await it.order(weeks(9, rows=1500)[8:])
        await asyncio.sleep(5)
        filler.unlink()
        it.healed()
        figures = await it.finish()
        assert it.fleet.restarts == 0
    told(figures)


def _fill(path: Path) -> None:
    """Take all the room there is on a disk."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as full:
        size = 65536
        while size >= 512:
            try:
                full.write(b"\0" * size)
            except OSError:
                size //= 2


def _run(*command: str) -> int:
    return subprocess.run(command, check=False).returncode  # noqa: S603 - mount and umount


async def test_an_object_store_without_room(small_disk, scene, told):
    async with scene(environment={"SPINE_MAX_RETRIES": "8"}) as it:
        orders = weeks(6)
        await it.order(orders)
        filler = small_disk / "filler"
        _fill(filler)
        it.inject()
        await asyncio.sleep(6)
        filler.unlink()
        it.healed()
        figures = await it.finish()
    told(figures)
