"""Whether turns side by side and turns alone keep out of each other's way, however they end."""

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from spine_common.framework.turns import Turns

LONG = 20.0


class Stay:
    """Somebody who has asked for a turn and stays until sent away."""

    def __init__(self, turn: AbstractAsyncContextManager[bool | None]) -> None:
        self.has_turn: bool | None = None
        self._leave = asyncio.Event()
        self._task = asyncio.create_task(self._stay(turn))

    async def _stay(self, turn: AbstractAsyncContextManager[bool | None]) -> None:
        async with turn as given:
            self.has_turn = given is not False
            await self._leave.wait()
        self.has_turn = None

    async def leave(self) -> None:
        self._leave.set()
        await self._task

    async def cancel(self) -> None:
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_most_run_side_by_side():
    turns = Turns()
    a, b = Stay(turns.beside_others()), Stay(turns.beside_others())
    await settled()

    assert a.has_turn
    assert b.has_turn


async def test_who_is_alone_comes_when_the_others_have_left_and_keeps_the_next_out():
    turns = Turns()
    a = Stay(turns.beside_others())
    await settled()
    alone = Stay(turns.alone(LONG))
    await settled()
    b = Stay(turns.beside_others())
    await settled()
    assert (a.has_turn, alone.has_turn, b.has_turn) == (True, None, None)

    await a.leave()
    await settled()
    assert (alone.has_turn, b.has_turn) == (True, None)

    await alone.leave()
    await settled()
    assert b.has_turn


async def test_two_that_are_alone_come_one_after_the_other_and_before_the_others():
    turns = Turns()
    first = Stay(turns.alone(LONG))
    await settled()
    second, other = Stay(turns.alone(LONG)), Stay(turns.beside_others())
    await settled()
    assert (first.has_turn, second.has_turn, other.has_turn) == (True, None, None)

    await first.leave()
    await settled()
    assert (second.has_turn, other.has_turn) == (True, None)

    await second.leave()
    await settled()
    assert other.has_turn


async def test_who_asks_too_long_is_told_and_holds_up_nobody():
    turns = Turns()
    a = Stay(turns.beside_others())
    await settled()
    impatient = Stay(turns.alone(0.05))
    await settled()
    b = Stay(turns.beside_others())
    await settled()
    assert b.has_turn is None

    await asyncio.sleep(0.1)

    assert impatient.has_turn is False
    assert b.has_turn
    assert a.has_turn
    await impatient.leave()


async def test_who_is_cancelled_while_asking_holds_up_nobody():
    turns = Turns()
    a = Stay(turns.beside_others())
    await settled()
    alone = Stay(turns.alone(LONG))
    await settled()
    b = Stay(turns.beside_others())
    await settled()

    await alone.cancel()
    await settled()

    assert b.has_turn
    assert a.has_turn


@pytest.mark.parametrize("turn", [Turns.beside_others, lambda turns: turns.alone(LONG)])
async def test_who_is_cancelled_in_its_turn_gives_it_back(turn: Any):
    turns = Turns()
    holder = Stay(turn(turns))
    await settled()
    alone = Stay(turns.alone(LONG))
    await settled()
    assert holder.has_turn

    await holder.cancel()
    await settled()

    assert alone.has_turn
    await alone.leave()
    last = Stay(turns.beside_others())
    await settled()
    assert last.has_turn


async def test_who_is_cancelled_behind_one_that_is_alone_leaves_no_trace():
    turns = Turns()
    alone = Stay(turns.alone(LONG))
    await settled()
    b = Stay(turns.beside_others())
    await settled()
    await b.cancel()
    await alone.leave()

    again = Stay(turns.alone(LONG))
    await settled()

    assert again.has_turn
