"""Whether a failed attempt is tried again or given up, and what nobody can use is kept whole."""

import asyncio
from dataclasses import replace

from sqlalchemy import select

from spine_common.adapters.database.tables import dead_letters
from spine_common.contracts.message import Message
from spine_common.contracts.routing import COMMANDS_EXCHANGE, DEAD_LETTER_QUEUE
from spine_common.core.errors import SourceNotFound, StoreUnavailable
from spine_common.core.execution import EventType, Execution, Status
from spine_common.core.ids import MessageId, command_message_id, new_execution_id
from spine_common.framework.ports.bus import Delivery, Verdict
from spine_common.framework.ports.queries import Row, Window

from .builders import SHOP_STAGES, delivery, failing, sales_key
from .conftest import Process, until


async def letters(process: Process) -> list[Row]:
    async with process.database.reading() as tx:
        return (await tx.dead_letters.recent(Window())).rows[::-1]


async def history(process: Process, execution: Execution) -> list[str]:
    return [event.type.value for event in await process.events(execution)]


async def failed(process: Process, error: Exception) -> Execution:
    """Return an execution whose first attempt failed, its dead letter not yet handled."""
    execution = await process.dispatcher.submit("suite.work")
    await process.runner(failing(error)).handle(delivery(execution))
    return await process.get(execution)


async def test_a_transient_failure_is_tried_again_until_it_succeeds(process: Process):
    await process.start(failing(OSError("one"), StoreUnavailable("two")))

    ended = await process.ended(await process.dispatcher.submit("suite.work"))

    events = await process.events(ended)
    delays = [e.payload["delay_seconds"] for e in events if e.type is EventType.RETRY_SCHEDULED]
    attempts = [e.payload["attempt"] for e in events if e.type is EventType.STARTED]
    assert (ended.status, ended.attempt, ended.error) == (Status.COMPLETED, 3, None)
    assert attempts == [1, 2, 3]
    assert len(delays) == 2
    assert delays == sorted(delays)
    assert [(row["attempt"], row["code"], row["kind"]) for row in await letters(process)] == [
        (1, "OSError", "transient"),
        (2, "STORE_UNAVAILABLE", "transient"),
    ]


async def test_a_retry_waits_in_the_outbox_until_it_is_due(process: Process):
    execution = await failed(process, OSError("one"))
    slow = replace(process.policy, base=60.0, cap=60.0)
    desk = type(process.desk)(process.context.registry, process.database, slow, lambda: None)

    await desk.handle(delivery(execution, queue=DEAD_LETTER_QUEUE))

    retried = await process.get(execution)
    async with process.database.transaction() as tx:
        due = await tx.outbox.claim(limit=10, lease=30)
        waiting, _ = await tx.outbox.depth()
    assert (retried.status, retried.attempt) == (Status.RETRY_SCHEDULED, 2)
    assert [row.message.message_id for row in due] == [
        command_message_id(execution.execution_id, 1)
    ]
    assert waiting == 2


async def test_a_transient_failure_that_stays_is_given_up(process: Process):
    await process.start(failing(*[OSError(f"try {n}") for n in range(1, 9)]))

    ended = await process.ended(await process.dispatcher.submit("suite.work"))

    assert (ended.status, ended.attempt) == (Status.DEAD_LETTERED, 3)
    assert (ended.error_code, ended.error) == ("OSError", "try 3")
    assert [row["attempt"] for row in await letters(process)] == [1, 2, 3]


async def test_a_permanent_failure_is_given_up_at_once(process: Process):
    await process.start(failing(SourceNotFound("there is no such file")))

    ended = await process.ended(await process.dispatcher.submit("suite.work"))

    (letter,) = await letters(process)
    assert (ended.status, ended.attempt) == (Status.DEAD_LETTERED, 1)
    assert (await history(process, ended))[-2:] == ["failed", "dead_lettered"]
    assert (letter["code"], letter["kind"]) == ("SOURCE_NOT_FOUND", "permanent")
    assert letter["reason"] == "there is no such file"
    assert letter["execution_id"] == ended.execution_id


async def test_a_workflow_ends_with_the_step_that_was_given_up(shop: Process):
    await shop.start(SHOP_STAGES)
    order = {**sales_key(), "file_path": str(shop.folder / "missing.txt")}

    parent = await shop.ended(await shop.dispatcher.submit("shop.process", order))

    (child,) = await shop.children(parent)
    assert parent.status is child.status is Status.DEAD_LETTERED
    assert parent.error_code == "SOURCE_NOT_FOUND"
    assert str(parent.error).startswith("shop.ingest: ")


async def test_poison_is_kept_byte_for_byte(process: Process):
    await process.start()
    poison = (
        b"",
        bytes(range(256)),
        b'{"specversion": "1.0", "id": "1", "type": "spine.command.normalize.v99"}',
        b'{"half": ',
        b"[" * 5_000,
    )

    for body in poison:
        await process.bus.publish(message(body))

    async with process.database.reading() as tx:
        kept = await tx._connection.scalars(
            select(dead_letters.c.body).order_by(dead_letters.c.dead_letter_id)
        )
    assert tuple(kept) == poison
    for letter in await letters(process):
        assert (letter["kind"], letter["execution_id"]) == ("poison", None)
        assert letter["headers"]["traceparent"] == "x"
        assert letter["headers"]["x-death"][0]["queue"] == "spine.normalize.normal"


def message(body: bytes) -> Message:
    key = "normalize.normal.suite"
    return Message(MessageId("p"), "?", COMMANDS_EXCHANGE, key, body, {"traceparent": "x"})


async def test_a_command_the_ledger_does_not_know_is_kept(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    nobody = new_execution_id().encode()
    unknown = delivery(execution).body.replace(execution.execution_id.encode(), nobody)

    verdict = await process.desk.handle(replace(delivery(execution), body=unknown))

    (letter,) = await letters(process)
    assert verdict is Verdict.ACK
    assert (letter["code"], letter["kind"]) == ("EXECUTION_NOT_FOUND", "poison")


async def test_a_command_no_database_could_keep_is_kept_as_poison(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    body = delivery(execution).body
    own_id, own_attempt = f'"{execution.execution_id}"'.encode(), b'"attempt":1'
    assert own_id in body
    assert own_attempt in body
    forged = (
        body.replace(own_id, b'"a\\u0000b"'),
        body.replace(own_attempt, b'"attempt":3000000000'),
    )

    for each in forged:
        dead = replace(delivery(execution, queue=DEAD_LETTER_QUEUE), body=each)
        assert await process.desk.handle(dead) is Verdict.ACK

    assert [letter["kind"] for letter in await letters(process)] == ["poison"] * 2
    assert await process.get(execution) == execution


async def test_a_dead_letter_that_comes_twice_gets_one_verdict(process: Process):
    execution = await failed(process, OSError("one"))
    dead = delivery(execution, queue=DEAD_LETTER_QUEUE)

    await asyncio.gather(*(process.desk.handle(dead) for _ in range(3)))

    assert len(await letters(process)) == 1
    assert (await history(process, execution)).count("retry_scheduled") == 1


async def test_a_late_dead_letter_of_an_earlier_attempt_changes_nothing(process: Process):
    execution = await failed(process, OSError("one"))
    dead = delivery(execution, queue=DEAD_LETTER_QUEUE)
    await process.desk.handle(dead)
    second = await process.get(execution)
    await process.runner(failing(OSError("two"))).handle(delivery(second))
    before = await process.get(execution)

    await process.desk.handle(dead)

    assert await process.get(execution) == before
    assert before.status is Status.FAILED


async def test_a_dead_letter_of_what_succeeded_meanwhile_changes_nothing(process: Process):
    execution = await process.dispatcher.submit("suite.work")
    await process.runner().handle(delivery(execution))
    before = await process.get(execution)

    await process.desk.handle(delivery(execution, queue=DEAD_LETTER_QUEUE))

    assert await process.get(execution) == before


async def test_a_command_given_up_before_it_was_claimed_is_tried_again(process: Process):
    """The handler itself broke; in process the relay's mark has not come yet either."""
    runner = process.runner()
    deliveries: list[Delivery] = []

    async def breaks_twice(delivery: Delivery) -> Verdict:
        deliveries.append(delivery)
        if len(deliveries) < 3:
            raise RuntimeError("before the claim")
        return await runner.handle(delivery)

    await process.bus.consume("spine.normalize.normal", breaks_twice, prefetch=1)
    await process.bus.consume(DEAD_LETTER_QUEUE, process.desk.handle, prefetch=1)
    process.relaying()

    ended = await process.ended(await process.dispatcher.submit("suite.work"))

    assert (ended.status, ended.attempt) == (Status.COMPLETED, 3)
    assert [row["code"] for row in await letters(process)] == ["UNDELIVERABLE"] * 2


async def test_dead_letters_wait_while_the_desk_is_away(process: Process):
    await process.bus.consume(
        "spine.normalize.normal", process.runner(failing(OSError("x"))).handle, prefetch=1
    )
    process.relaying()
    execution = await process.dispatcher.submit("suite.work")

    async def has_failed() -> bool:
        return (await process.get(execution)).status is Status.FAILED

    await until(has_failed)
    await process.bus.consume(DEAD_LETTER_QUEUE, process.desk.handle, prefetch=1)

    assert (await process.ended(execution)).status is Status.COMPLETED
