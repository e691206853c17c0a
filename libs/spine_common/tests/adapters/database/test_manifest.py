"""Whether work on a capture is done once, whoever does it and however many at a time."""

import asyncio

import pytest

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.capture import Capture
from spine_common.core.errors import AlreadyDone
from spine_common.core.pipeline import Stage
from spine_common.framework.ports.database import Database

from .builders import BY, captured

STAGE = Stage.AGGREGATE


async def complete(database: Database, capture: Capture, **rows: int) -> None:
    async with database.transaction() as tx:
        await tx.manifest.complete(capture, STAGE, rows, BY)


async def done(database: Database, capture: Capture, stage: Stage = STAGE) -> frozenset[str]:
    async with database.reading() as tx:
        return await tx.manifest.done(capture, stage)


async def test_completed_work_is_done_for_its_capture_and_stage(database: SqlDatabase):
    capture, other = await captured(database, "a"), await captured(database, "b")

    await complete(database, capture, summary_v1=3, share_v2=0)

    assert await done(database, capture) == {"summary_v1", "share_v2"}
    assert await done(database, capture, Stage.NORMALIZE) == frozenset()
    assert await done(database, other) == frozenset()


async def test_the_same_work_a_second_time_is_refused(database: SqlDatabase):
    capture = await captured(database)
    await complete(database, capture, a_v1=1, b_v1=1)

    with pytest.raises(AlreadyDone):
        await complete(database, capture, a_v1=1, b_v1=1)


async def test_of_work_done_in_part_only_the_rest_is_new(database: SqlDatabase):
    capture = await captured(database)
    await complete(database, capture, b_v1=1)

    async with database.transaction() as tx:
        assert await tx.manifest.complete(capture, STAGE, {"a_v1": 1, "b_v1": 1}, BY) == {"a_v1"}

    assert await done(database, capture) == {"a_v1", "b_v1"}


async def test_the_manifest_says_where_the_rows_are(database: SqlDatabase):
    capture = await captured(database)
    async with database.transaction() as tx:
        assert await tx.manifest.object_key(capture, STAGE) is None
        await tx.manifest.complete(capture, STAGE, {"v1": 1}, BY, "normalized/a.parquet")
        assert await tx.manifest.object_key(capture, STAGE) == "normalized/a.parquet"


async def test_of_two_that_do_the_same_work_at_once_one_is_told(
    database: SqlDatabase, another: SqlDatabase
):
    capture = await captured(database)

    outcomes = await asyncio.gather(
        *(complete(where, capture, v1=1, v2=1) for where in (database, another)),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyDone", "NoneType"]


async def test_work_that_was_rolled_back_can_be_done(database: SqlDatabase):
    capture = await captured(database)

    async def attempt() -> None:
        async with database.transaction() as tx:
            await tx.manifest.complete(capture, STAGE, {"v1": 1}, BY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()

    await complete(database, capture, v1=1)

    assert await done(database, capture) == {"v1"}


async def test_reopened_work_can_be_done_again(database: SqlDatabase):
    capture = await captured(database)
    await complete(database, capture, v1=1, v2=1)

    async with database.transaction() as tx:
        await tx.manifest.reopen(capture, STAGE, ["v1"])
        assert await tx.manifest.done(capture, STAGE) == {"v2"}
        await tx.manifest.complete(capture, STAGE, {"v1": 2}, BY)

    assert await done(database, capture) == {"v1", "v2"}
