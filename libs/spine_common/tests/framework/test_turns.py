"""Whether turns side by side and turns alone keep out of each other's way, however they end."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from spine_common.framework.turns import Turns

LONG = 20.0
Turn = AbstractAsyncContextManager[bool | None]


class Stay:
    """Somebody who has asked for a turn and stays until sent away."""

    def __init__(self, turn: Turn) -> None:
        self.has_turn: bool | None = None
        self._leave = asyncio.Event()
        self._task = asyncio.create_task(self._stay(turn))

    async def _stay(self, turn: Turn) -> None:
        async with turn as given:
            self.has_turn = given is not False
            await self._leave.wait()
        self.has_turn = None

    async def leave(self) -> None:
        self._leave.set()
        await self._task
        await settled()

    async def cancel(self) -> None:
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def ask(turn: Turn) -> Stay:
    """Ask for a turn, and let happen what comes of that."""
    asked = Stay(turn)
    await settled()
    return asked


async def one_behind_the_other(turns: Turns, patience: float = LONG) -> tuple[Stay, Stay, Stay]:
    """Return one at work, one behind it that asks to be alone, and one behind that."""
    a = await ask(turns.beside_others())
    alone = await ask(turns.alone(patience))
    b = await ask(turns.beside_others())
    assert (a.has_turn, alone.has_turn, b.has_turn) == (True, None, None)
    return a, alone, b


async def test_most_run_side_by_side():
    turns = Turns()
    a, b = await ask(turns.beside_others()), await ask(turns.beside_others())

    assert a.has_turn
    assert b.has_turn


async def test_who_is_alone_comes_when_the_others_have_left_and_keeps_the_next_out():
    a, alone, b = await one_behind_the_other(Turns())

    await a.leave()
    assert (alone.has_turn, b.has_turn) == (True, None)

    await alone.leave()
    assert b.has_turn


async def test_two_that_are_alone_come_one_after_the_other_and_before_the_others():
    turns = Turns()
    first, second = await ask(turns.alone(LONG)), await ask(turns.alone(LONG))
    other = await ask(turns.beside_others())
    assert (first.has_turn, second.has_turn, other.has_turn) == (True, None, None)

    await first.leave()
    assert (second.has_turn, other.has_turn) == (True, None)

    await second.leave()
    assert other.has_turn


async def test_who_asks_too_long_is_told_and_holds_up_nobody():
    a, impatient, b = await one_behind_the_other(Turns(), patience=0.05)

    await asyncio.sleep(0.1)

    assert impatient.has_turn is False
    assert b.has_turn
    assert a.has_turn
    await impatient.leave()


async def test_who_is_cancelled_while_asking_holds_up_nobody():
    a, alone, b = await one_behind_the_other(Turns())

    await alone.cancel()

    assert b.has_turn
    assert a.has_turn


@pytest.mark.parametrize("turn", [Turns.beside_others, lambda turns: turns.alone(LONG)])
async def test_who_is_cancelled_in_its_turn_gives_it_back(turn: Callable[[Turns], Turn]):
    turns = Turns()
    holder, alone = await ask(turn(turns)), await ask(turns.alone(LONG))
    assert holder.has_turn

    await holder.cancel()

    assert alone.has_turn
    await alone.leave()
    assert (await ask(turns.beside_others())).has_turn


async def test_who_is_cancelled_behind_one_that_is_alone_leaves_no_trace():
    turns = Turns()
    alone, b = await ask(turns.alone(LONG)), await ask(turns.beside_others())
    await b.cancel()
    await alone.leave()

    assert (await ask(turns.alone(LONG))).has_turn
