"""Whether the scenarios notice when a guard is gone: those that stay green prove nothing."""

from contextlib import asynccontextmanager
from typing import Any

import pytest

from spine_common.testing.chaos.launch import MUTATION

from .test_broker import test_a_queue_purged_while_work_waits_in_it as purged
from .test_messages import test_every_message_three_times_and_shuffled as three_times
from .test_messages import test_two_last_children_of_a_parent_finishing_together as last_children
from .test_workers import test_a_message_that_kills_its_worker_dies_alone as dies_alone
from .test_workers import test_work_that_outlives_its_lease_writes_nothing as outlives

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.xdist_group("chaos")]


@pytest.mark.parametrize(
    ("guard", "scenario"),
    [
        ("duplicate check", three_times),
        pytest.param("fence", outlives, marks=pytest.mark.quick),
        ("row lock", last_children),
        ("sweepers", purged),
        ("turn alone", dies_alone),
    ],
    ids=["duplicate-check", "fence", "row-lock", "sweepers", "turn-alone"],
)
async def test_without_it_a_scenario_fails(scene, guard: str, scenario: Any):
    @asynccontextmanager
    async def mutated(**changes: Any):
        environment = {**changes.pop("environment", {}), MUTATION: guard}
        async with scene(environment=environment, **changes) as it:
            it.patience = 30.0
            yield it

    with pytest.raises(AssertionError) as noticed:
        await scenario(mutated, lambda _: None)
    said = str(noticed.value)
    assert any(word in said for word in ("still not", "seed", "duplicates")), said
