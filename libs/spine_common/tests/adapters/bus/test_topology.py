"""Where a routing key leads."""

import pytest

from spine_common.adapters.bus.topology import SPINE, Queue, matches, queue_arguments
from spine_common.contracts.routing import (
    COMMANDS_EXCHANGE,
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    EVENTS_EXCHANGE,
    command_routing_key,
    work_queue,
)
from spine_common.core.pipeline import WORK_STAGES, Lane, Stage


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("a.b", "a.b"),
        ("a.*", "a.b"),
        ("*.b", "a.b"),
        ("a.*.c", "a.b.c"),
        ("#", ""),
        ("#", "a"),
        ("#", "a.b.c"),
        ("a.#", "a"),
        ("a.#", "a.b.c"),
        ("#.c", "c"),
        ("#.c", "a.b.c"),
        ("a.#.d", "a.d"),
        ("a.#.d", "a.b.c.d"),
        ("a.*.#", "a.b"),
        ("#.b.#", "a.b.c"),
        ("*", "a"),
    ],
)
def test_a_pattern_takes_what_its_wildcards_stand_for(pattern, key):
    assert matches(pattern, key)


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("a.b", "a"),
        ("a.b", "a.b.c"),
        ("a.*", "a"),
        ("a.*", "a.b.c"),
        ("*", ""),
        ("*", "a.b"),
        ("a.*.#", "a"),
        ("a.#", "ab"),
        ("a.#.d", "a.d.e"),
        ("a", "A"),
        ("", "a"),
    ],
)
def test_a_pattern_takes_nothing_else(pattern, key):
    assert not matches(pattern, key)


@pytest.mark.parametrize("stage", WORK_STAGES)
@pytest.mark.parametrize("lane", Lane)
def test_a_command_reaches_the_one_queue_of_its_stage_and_lane(stage, lane):
    key = command_routing_key(stage, lane, "finra.otc_transparency")

    assert [queue.name for queue in SPINE.route(COMMANDS_EXCHANGE, key)] == [
        work_queue(stage, lane)
    ]


def test_a_command_for_a_stage_without_engine_reaches_no_queue():
    key = command_routing_key(Stage.WORKFLOW, Lane.NORMAL, "finra.otc_transparency")

    assert SPINE.route(COMMANDS_EXCHANGE, key) == ()


def test_a_message_for_an_exchange_nobody_declared_reaches_no_queue():
    assert SPINE.route("spine.elsewhere", "normalize.normal.x") == ()


def test_a_dead_letter_of_any_key_reaches_the_dead_letter_queue():
    for key in ("normalize.normal.finra", "anything", ""):
        assert [queue.name for queue in SPINE.route(DEAD_LETTER_EXCHANGE, key)] == [
            DEAD_LETTER_QUEUE
        ]


def test_an_event_nobody_subscribed_to_goes_where_only_the_newest_are_kept():
    (queue,) = SPINE.route(EVENTS_EXCHANGE, "partition.captured.finra")

    assert queue.newest is not None
    assert queue.dead_letters is None


def test_a_rejected_dead_letter_does_not_come_back_to_its_own_queue():
    dead_letters = SPINE.queue(DEAD_LETTER_QUEUE).dead_letters

    (refused,) = SPINE.route(dead_letters.exchange, dead_letters.routing_key)
    assert refused.name != DEAD_LETTER_QUEUE
    assert refused.newest is None


@pytest.mark.parametrize("queue", [q for q in SPINE.queues if q.dead_letters is not None])
def test_a_queue_that_dead_letters_does_so_at_least_once(queue):
    arguments = queue_arguments(queue)

    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-dead-letter-strategy"] == "at-least-once"
    assert arguments["x-overflow"] == "reject-publish"


def test_nothing_that_is_tuned_is_in_a_work_queue_s_declaration():
    arguments = queue_arguments(SPINE.queue(work_queue(Stage.NORMALIZE, Lane.NORMAL)))

    assert set(arguments) == {
        "x-queue-type",
        "x-dead-letter-exchange",
        "x-dead-letter-strategy",
        "x-overflow",
    }


def test_a_queue_without_dead_letters_asks_for_none():
    assert queue_arguments(Queue("plain")) == {"x-queue-type": "quorum"}


def test_every_binding_names_an_exchange_and_a_queue_there_are():
    exchanges = {exchange.name for exchange in SPINE.exchanges}
    queues = {queue.name for queue in SPINE.queues}

    assert {binding.exchange for binding in SPINE.bindings} <= exchanges
    assert {binding.queue for binding in SPINE.bindings} <= queues
