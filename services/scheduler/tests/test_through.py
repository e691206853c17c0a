"""Whether a list is gone through to its end, whatever is wrong with some of its entries."""

from collections.abc import Awaitable, Callable

import pytest

from spine_common.core.errors import Conflict, DatabaseUnavailable
from spine_scheduler.sweepers.sweep import MOST_AT_ONCE, OUTAGES, through

Ask = Callable[[int, int], Awaitable[list[int]]]


def listed(left: list[int]) -> Ask:
    """Ask a list that entries leave once they are moved on, as the database is asked."""

    async def ask(limit: int, skip: int) -> list[int]:
        return left[skip : skip + limit]

    return ask


async def test_entries_that_fail_do_not_hide_those_behind_them():
    stuck = MOST_AT_ONCE * 2
    left = list(range(stuck + 3))

    async def take_up(entry: int) -> bool:
        if entry < stuck:
            raise (Conflict("not now"), ValueError("a bug"))[entry % 2]
        left.remove(entry)
        return True

    assert await through(listed(left), take_up, "test") == 3
    assert left == list(range(stuck))


async def test_a_turn_moves_so_many_and_no_more():
    left = list(range(MOST_AT_ONCE * 3))

    async def take_up(entry: int) -> bool:
        left.remove(entry)
        return True

    assert await through(listed(left), take_up, "test") == MOST_AT_ONCE
    assert len(left) == MOST_AT_ONCE * 2


async def test_one_row_held_too_long_is_passed_and_an_outage_ends_the_turn():
    tried: list[int] = []

    async def take_up(entry: int) -> bool:
        tried.append(entry)
        if entry != 1:
            raise DatabaseUnavailable("away")
        return True

    with pytest.raises(DatabaseUnavailable):
        await through(listed(list(range(50))), take_up, "test")
    assert tried == list(range(2 + OUTAGES))
