"""Whether a failure is tried again as often as somebody said, and less and less hurriedly."""

from dataclasses import replace

import pytest

from spine_common.core.errors import Kind
from spine_common.framework.retry import RetryPolicy

from .builders import WORK


def test_waits_grow_to_a_ceiling_and_are_never_all_the_same():
    policy = RetryPolicy(max_retries=20, base=2.0, cap=30.0)

    waits = {attempt: [policy.delay(attempt) for _ in range(50)] for attempt in (1, 2, 10)}

    for attempt, ceiling in ((1, 2.0), (2, 4.0), (10, 30.0)):
        assert all(ceiling / 2 <= wait <= ceiling for wait in waits[attempt] if wait is not None)
        assert len(set(waits[attempt])) > 40


@pytest.mark.parametrize("kind", [Kind.PERMANENT, Kind.POISON])
def test_what_can_not_succeed_is_not_tried_again(kind: Kind):
    assert RetryPolicy().verdict(kind, 1) is None


def test_the_last_attempt_is_the_last():
    policy = RetryPolicy(max_retries=2)

    assert policy.verdict(Kind.TRANSIENT, 2) is not None
    assert policy.verdict(Kind.TRANSIENT, 3) is None


def test_a_pipeline_says_how_often_and_an_operator_says_it_last():
    eager = replace(WORK, name="suite.eager", max_retries=9)
    policy = RetryPolicy(max_retries=3)

    assert policy.of(WORK).max_retries == 3
    assert policy.of(eager).max_retries == 9
    assert replace(policy, by_pipeline={"suite.eager": 0}).of(eager).max_retries == 0
    assert replace(policy, by_pipeline={"suite.eager": 0}).of(WORK).max_retries == 3
