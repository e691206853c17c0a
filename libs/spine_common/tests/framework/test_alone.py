"""Whether what has lost a worker before runs alone, and whether nothing else has to."""

import asyncio

import pytest

from spine_common.contracts.commands import Command, command_of
from spine_common.core.errors import Unavailable
from spine_common.core.execution import Execution, Status
from spine_common.core.letters import LetterState
from spine_common.framework.context import StageContext
from spine_common.framework.lease import Suspect, claim, fail_expired
from spine_common.framework.outcome import PutBack
from spine_common.framework.ports.bus import Verdict
from spine_common.framework.runner import StageRunner
from spine_common.framework.stage import PlainResult, StageOutput
from spine_common.framework.verdict import judge

from .builders import REGISTRY, delivery, failing
from .conftest import Process, until
from .letters import letters, review_of


class Room:
    """A stage that knows who is in it. Everybody stays until they are let out."""

    def __init__(self) -> None:
        self.inside: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}

    async def __call__(self, command: Command, _context: StageContext) -> StageOutput:
        self.inside.append(command.execution_id)
        try:
            await self._door(command.execution_id).wait()
        finally:
            self.inside.remove(command.execution_id)
        return PlainResult({})

    def let_out(self, *executions: Execution) -> None:
        for execution in executions:
            self._door(execution.execution_id).set()

    async def holds(self, *executions: Execution) -> None:
        """Wait until these are inside, and make sure that nobody else comes."""
        expected = sorted(execution.execution_id for execution in executions)

        async def are_in() -> bool:
            return sorted(self.inside) == expected

        await until(are_in)
        await asyncio.sleep(0.1)
        assert sorted(self.inside) == expected

    def _door(self, execution_id: str) -> asyncio.Event:
        return self._doors.setdefault(execution_id, asyncio.Event())


async def order(process: Process, n: int) -> Execution:
    return await process.dispatcher.submit("suite.work", {"n": n})


def hand(runner: StageRunner, execution: Execution) -> asyncio.Task[Verdict]:
    return asyncio.create_task(runner.handle(delivery(execution)))


async def one_behind_the_other(
    runner: StageRunner, room: Room, other: Execution, suspect: Execution
) -> list[asyncio.Task[Verdict]]:
    """Hand both to one worker: who is suspect is kept out while the other is inside."""
    working = [hand(runner, other)]
    await room.holds(other)
    working.append(hand(runner, suspect))
    await room.holds(other)
    return working


async def leave_one_after_the_other(room: Room, *executions: Execution) -> None:
    """Let each out that is inside, and see that then the next is, alone."""
    for execution in executions:
        await room.holds(execution)
        room.let_out(execution)


async def expire(process: Process, execution: Execution) -> Execution:
    """Have the sweeper give up the attempt of a worker that is gone; return the next one."""
    async with process.database.transaction() as tx:
        locked = await tx.ledger.lock(execution.execution_id)
        assert locked is not None
        failed = await fail_expired(tx, locked.execution)
        return await judge(tx, REGISTRY, process.policy, failed)


async def test_what_lost_a_worker_waits_for_the_others_and_they_for_it(process: Process):
    room = Room()
    runner = process.runner(room)
    before, suspect, after = [await order(process, n) for n in range(3)]
    await process.lose_a_worker(suspect)

    working = await one_behind_the_other(runner, room, before, suspect)
    working.append(hand(runner, after))
    await leave_one_after_the_other(room, before, suspect, after)

    assert await asyncio.gather(*working) == [Verdict.ACK] * 3
    assert (await process.get(suspect)).fence == 2


async def test_the_others_run_side_by_side(process: Process):
    room = Room()
    runner = process.runner(room)
    executions = [await order(process, n) for n in range(3)]

    working = [hand(runner, execution) for execution in executions]

    await room.holds(*executions)
    room.let_out(*executions)
    await asyncio.gather(*working)


async def test_what_lost_a_worker_does_not_begin_while_it_waits(process: Process):
    # It would be lost with the others: its attempt must not be spent on their account.
    room = Room()
    runner = process.runner(room)
    other, suspect = await order(process, 1), await order(process, 2)
    lost = await process.lose_a_worker(suspect)

    working = await one_behind_the_other(runner, room, other, suspect)

    assert await process.get(suspect) == lost
    room.let_out(other, suspect)
    await asyncio.gather(*working)


async def test_who_waits_for_its_turn_too_long_is_put_off(process: Process):
    room = Room()
    runner = process.runner(room, seconds=0.3)
    other, suspect = await order(process, 1), await order(process, 2)
    lost = await process.lose_a_worker(suspect)
    async with process.database.transaction() as tx:
        await tx.outbox.mark_sent(await tx.outbox.claim(limit=2, lease=30))
    working = hand(runner, other)
    await room.holds(other)

    assert await hand(runner, suspect) is Verdict.ACK

    (handled,) = process.handled
    assert handled.outcome == PutBack(0.3)
    assert await process.get(suspect) == lost
    async with process.database.reading() as tx:
        assert (await tx.outbox.depth())[0] == 1
    room.let_out(other)
    assert await working is Verdict.ACK


async def test_while_it_waits_no_sweeper_takes_it_for_lost(process: Process):
    suspect = await order(process, 1)
    async with process.database.transaction() as tx:
        await tx.outbox.mark_sent(await tx.outbox.claim(limit=1, lease=30))
    await process.lose_a_worker(suspect)
    async with process.database.reading() as tx:
        (expired,) = await tx.overdue.leases(0.0, limit=10)
    assert expired.execution_id == suspect.execution_id

    async with process.database.transaction() as tx:
        found = await claim(tx, command_of(suspect), "worker", process.terms, alone=False)

    assert isinstance(found, Suspect)
    async with process.database.reading() as tx:
        assert await tx.overdue.leases(0.0, limit=10) == []


async def test_the_wait_for_a_turn_is_no_part_of_how_long_it_ran(process: Process):
    room = Room()
    runner = process.runner(room)
    other, suspect = await order(process, 1), await order(process, 2)
    await process.lose_a_worker(suspect)
    working = [hand(runner, other)]
    await room.holds(other)
    room.let_out(suspect)
    working.append(hand(runner, suspect))
    await asyncio.sleep(1.0)
    room.let_out(other)
    await asyncio.gather(*working)

    took = {one.command.execution_id: one.seconds for one in process.handled if one.command}
    assert took[suspect.execution_id] < 1.0 < took[other.execution_id]


async def test_a_later_attempt_is_alone_too(process: Process):
    room = Room()
    runner = process.runner(room)
    other, suspect = await order(process, 1), await order(process, 2)
    again = await expire(process, await process.lose_a_worker(suspect))
    assert (again.status, again.attempt) == (Status.RETRY_SCHEDULED, 2)

    working = await one_behind_the_other(runner, room, other, again)
    await leave_one_after_the_other(room, other, suspect)
    await asyncio.gather(*working)


async def test_a_persons_retry_of_it_is_alone_too(process: Process):
    room = Room()
    runner = process.runner(room)
    other, suspect = await order(process, 1), await order(process, 2)
    again = suspect
    for _ in range(process.policy.max_retries + 1):
        again = await expire(process, await process.lose_a_worker(again))
    assert again.status is Status.DEAD_LETTERED
    await process.desk.handle(delivery(again, queue="spine.dlq"))
    (letter,) = await letters(process, LetterState.WAITING)
    retried = (await review_of(process).retry(letter["dead_letter_id"])).execution
    assert retried is not None

    working = await one_behind_the_other(runner, room, other, retried)
    await leave_one_after_the_other(room, other, retried)
    await asyncio.gather(*working)


async def test_an_attempt_that_failed_with_its_worker_alive_is_no_reason(process: Process):
    room = Room()
    other, failed = await order(process, 1), await order(process, 2)
    busy = Unavailable("It is busy.")
    await process.runner(failing(busy)).handle(delivery(failed))
    await process.desk.handle(delivery(failed, queue="spine.dlq"))
    again = await process.get(failed)
    assert again.status is Status.RETRY_SCHEDULED
    runner = process.runner(room)

    working = [hand(runner, other), hand(runner, again)]

    await room.holds(other, again)
    room.let_out(other, again)
    await asyncio.gather(*working)


async def test_a_worker_that_was_asked_to_stop_is_no_reason(process: Process):
    room = Room()
    other, stopped = await order(process, 1), await order(process, 2)
    leaving = hand(process.runner(room), stopped)
    await room.holds(stopped)
    leaving.cancel()
    await asyncio.wait([leaving])
    runner = process.runner(room)

    working = [hand(runner, other), hand(runner, stopped)]

    await room.holds(other, stopped)
    room.let_out(other, stopped)
    await asyncio.gather(*working)


async def test_who_is_stopped_while_it_waits_makes_room(process: Process):
    room = Room()
    runner = process.runner(room)
    other, suspect, after = [await order(process, n) for n in range(3)]
    lost = await process.lose_a_worker(suspect)
    working, waiting = await one_behind_the_other(runner, room, other, suspect)
    behind = hand(runner, after)
    await room.holds(other)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await room.holds(other, after)
    assert await process.get(suspect) == lost
    room.let_out(other, after)
    await asyncio.gather(working, behind)


async def test_what_was_done_meanwhile_is_not_done_again(process: Process):
    room = Room()
    runner = process.runner(room)
    other, suspect = await order(process, 1), await order(process, 2)
    await process.lose_a_worker(suspect)
    working = await one_behind_the_other(runner, room, other, suspect)
    assert await process.runner(owner="elsewhere").handle(delivery(suspect)) is Verdict.ACK

    room.let_out(other)

    assert await asyncio.gather(*working) == [Verdict.ACK, Verdict.ACK]
    ended = await process.get(suspect)
    assert (ended.status, ended.fence) == (Status.COMPLETED, 2)
