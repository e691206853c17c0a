"""That an execution is what its events tell, and that they can't tell nonsense."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_common.core.execution import (
    OPEN,
    TERMINAL,
    TERMINAL_EVENTS,
    Event,
    EventType,
    IllegalTransition,
    Status,
    apply,
    fold,
)
from spine_common.core.ids import ExecutionId

START = datetime(2025, 12, 15, 6, tzinfo=UTC)
PAYLOADS = {
    EventType.SUBMITTED: {
        "pipeline": "example.hello",
        "stage": "aggregate",
        "domain": "example",
        "lane": "normal",
        "params": {},
        "partition_key": None,
        "logical_key": "example.hello",
        "trigger_source": "cli",
        "parent_id": None,
    },
    EventType.FAILED: {"code": "UNAVAILABLE", "message": "No answer."},
    EventType.RETRY_SCHEDULED: {"attempt": 2},
    EventType.COMPLETED: {"partition_key": "p", "result": {"rows": 3}},
}


def history(*types):
    return [
        Event(
            ExecutionId("e1"), seq, type_, START + timedelta(seconds=seq), PAYLOADS.get(type_, {})
        )
        for seq, type_ in enumerate(types, start=1)
    ]


E = EventType


def test_a_run_that_succeeds_at_its_second_attempt_tells_both():
    retried = (E.STARTED, E.FAILED, E.RETRY_SCHEDULED, E.QUEUED)
    after = fold(history(E.SUBMITTED, E.QUEUED, *retried, E.STARTED, E.COMPLETED))
    assert (after.status, after.attempt, after.seq) == (Status.COMPLETED, 2, 8)
    assert (after.error_code, after.error) == (None, None)
    assert (after.partition_key, after.result) == ("p", {"rows": 3})
    assert (after.started_at, after.completed_at) == (
        START + timedelta(seconds=3),
        START + timedelta(seconds=8),
    )


def test_a_given_up_run_keeps_its_error():
    after = fold(history(E.SUBMITTED, E.QUEUED, E.STARTED, E.FAILED, E.DEAD_LETTERED))
    assert (after.status, after.error_code) == (Status.DEAD_LETTERED, "UNAVAILABLE")
    assert not after.is_open


def test_a_consumer_faster_than_the_relay_starts_a_pending_run():
    assert fold(history(E.SUBMITTED, E.STARTED)).status is Status.RUNNING


def test_a_gap_in_the_sequence_is_refused():
    first, _, third = history(E.SUBMITTED, E.QUEUED, E.STARTED)
    with pytest.raises(IllegalTransition, match="#3 can't follow"):
        fold([first, third])


@pytest.mark.parametrize("first", [E.QUEUED, E.STARTED])
def test_a_history_begins_with_submitted(first):
    with pytest.raises(IllegalTransition, match="first event is submitted"):
        fold(history(first))


@given(st.lists(st.sampled_from([type_ for type_ in EventType if type_ is not E.SUBMITTED])))
def test_no_history_has_a_second_end_or_anything_after_it(types):
    execution, ends = fold(history(E.SUBMITTED)), 0
    for event in history(E.SUBMITTED, *types)[1:]:
        try:
            execution = apply(execution, event)
        except IllegalTransition:
            break
        ends += event.type in TERMINAL_EVENTS
    assert ends <= 1
    assert execution.status in (TERMINAL if ends else OPEN)
