"""Whether a partition's vintages are kept, each once, and the latest of them is known."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from spine_common.adapters.database.tables import capture_sightings
from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.capture import Capture
from spine_common.core.errors import CaptureNotFound
from spine_common.core.ids import CaptureId
from spine_common.framework.ports.database import Database

from .builders import BY, DOMAIN, captured, new_capture, partition


async def admit(database: Database, content: str, *, force: bool = False) -> tuple[Capture, bool]:
    async with database.transaction() as tx:
        return await tx.captures.admit(new_capture(content), BY, force=force)


async def sightings(database: SqlDatabase, capture: Capture) -> list[str]:
    async with database.reading() as tx:
        found = await tx._connection.execute(
            select(capture_sightings.c.source_name)
            .where(capture_sightings.c.capture_no == capture.capture_no)
            .order_by(capture_sightings.c.sighting_id)
        )
        return list(found.scalars())


async def test_the_first_capture_is_version_one_and_the_latest(database: SqlDatabase):
    async with database.transaction() as tx:
        before = await tx.now()
        capture, is_new = await tx.captures.admit(new_capture("a"), BY, force=False)
        after = await tx.now()

    async with database.reading() as tx:
        assert await tx.captures.latest(partition()) == capture
        assert await tx.captures.get(capture.capture_id) == capture
    assert is_new
    assert capture.version == 1
    assert capture.partition == partition()
    assert capture.source_updated_on == date(2025, 12, 15)
    assert before <= capture.captured_at <= after


async def test_the_same_content_is_the_same_capture_seen_again(database: SqlDatabase):
    first, _ = await admit(database, "a")

    again, is_new = await admit(database, "a")

    assert (again, is_new) == (first, False)
    assert await sightings(database, first) == ["a.csv"]


async def test_a_correction_makes_a_new_capture_and_keeps_the_old_one(database: SqlDatabase):
    first, _ = await admit(database, "a")

    second, is_new = await admit(database, "b")

    async with database.reading() as tx:
        assert await tx.captures.latest(partition()) == second
        assert await tx.captures.get(first.capture_id) == first
    assert is_new
    assert second.version == 2
    assert second.capture_no > first.capture_no
    assert await sightings(database, first) == []


async def test_back_to_what_was_said_first_is_a_third_capture(database: SqlDatabase):
    captures = [(await admit(database, content))[0] for content in "aba"]

    assert [capture.version for capture in captures] == [1, 2, 3]
    assert len({capture.capture_id for capture in captures}) == 3


async def test_force_captures_the_same_content_anew(database: SqlDatabase):
    await admit(database, "a")

    second, is_new = await admit(database, "a", force=True)

    assert is_new
    assert second.version == 2
    assert await sightings(database, second) == []


@pytest.mark.parametrize("earlier", [None, "z"])
async def test_the_same_content_admitted_twice_at_once_is_one_capture(
    database: SqlDatabase, another: SqlDatabase, earlier: str | None
):
    if earlier:
        await admit(database, earlier)

    answers = await asyncio.gather(*(admit(where, "a") for where in (database, another) * 3))

    assert len({capture.capture_id for capture, _ in answers}) == 1
    assert sum(is_new for _, is_new in answers) == 1
    assert len(await sightings(database, answers[0][0])) == 5


async def test_different_contents_admitted_at_once_are_numbered_without_a_gap(
    database: SqlDatabase, another: SqlDatabase
):
    answers = await asyncio.gather(
        *(
            admit(where, content)
            for where, content in zip((database, another) * 3, "abcdef", strict=True)
        )
    )

    assert sorted(capture.version for capture, _ in answers) == [1, 2, 3, 4, 5, 6]
    async with database.reading() as tx:
        latest = await tx.captures.latest(partition())
    assert latest is not None
    assert latest.version == 6


async def test_partitions_do_not_see_each_other(database: SqlDatabase):
    ours = await captured(database, "a")
    theirs = await captured(database, "a", of=partition(side="B"))

    assert ours.capture_id != theirs.capture_id
    assert theirs.version == 1
    async with database.reading() as tx:
        assert await tx.captures.latest(partition()) == ours


async def test_captured_partitions_come_in_key_order(database: SqlDatabase):
    for day, side in (("2025-11-21", "A"), ("2025-11-14", "b"), ("2025-11-14", "B")):
        await captured(database, of=partition(day, side))

    async with database.reading() as tx:
        found = await tx.captures.partitions(DOMAIN)
        assert await tx.captures.partitions("another.domain") == []
    assert [p.slug for p in found] == ["2025-11-14.B", "2025-11-14.b", "2025-11-21.A"]


async def test_what_was_not_captured_is_not_there(database: SqlDatabase):
    async with database.reading() as tx:
        assert await tx.captures.latest(partition()) is None
        with pytest.raises(CaptureNotFound):
            await tx.captures.get(CaptureId("sample.2025-11-14.A.v1.00000000"))


async def test_an_admission_that_fails_later_leaves_no_partition(database: SqlDatabase):
    async def attempt() -> None:
        async with database.transaction() as tx:
            await tx.captures.admit(new_capture("a"), BY, force=False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await attempt()

    async with database.reading() as tx:
        assert await tx.captures.latest(partition()) is None
        assert await tx.captures.partitions(DOMAIN) == []


async def test_as_of_a_moment_is_the_capture_known_then(database: SqlDatabase):
    first = await captured(database, "a")
    second = await captured(database, "b")
    while second.captured_at == first.captured_at:
        second = await captured(database, "c", force=True)

    async with database.reading() as tx:
        just_before = second.captured_at - timedelta(milliseconds=1)
        assert await tx.queries.capture_as_of(partition(), first.captured_at) == first
        assert (await tx.queries.capture_as_of(partition(), just_before)).version < second.version
        assert await tx.queries.capture_as_of(partition(), second.captured_at) == second
        assert await tx.queries.capture_as_of(partition(), datetime(2100, 1, 1, tzinfo=UTC)) == (
            second
        )


async def test_before_the_first_capture_nothing_was_known(database: SqlDatabase):
    first = await captured(database, "a")

    async with database.reading() as tx:
        with pytest.raises(CaptureNotFound):
            await tx.queries.capture_as_of(
                partition(), first.captured_at - timedelta(milliseconds=1)
            )
