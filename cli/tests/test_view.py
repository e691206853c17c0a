"""Progress, as lines and as a table that changes in place."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from spine_cli.progress import Line, Snapshot, order_line, stage_lines
from spine_cli.render import percent, plain, printable
from spine_cli.view import progress_view
from spine_common.core.execution import Execution, Status
from spine_common.core.ids import ExecutionId, Fence
from spine_common.core.pipeline import Lane, Stage, TriggerSource

NOW = datetime(2025, 12, 22, 12, tzinfo=UTC)


def execution(stage: Stage, status: Status, **values: object) -> Execution:
    plain_one = Execution(
        execution_id=ExecutionId(f"{stage}"),
        pipeline=f"p.{stage}",
        stage=stage,
        domain="p",
        lane=Lane.NORMAL,
        params={},
        partition_key="week_ending=2025-11-14/tier=OTC",
        logical_key="k",
        trigger_source=TriggerSource.CLI,
        parent_id=None,
        status=status,
        attempt=1,
        fence=Fence(1),
        seq=1,
        created_at=NOW - timedelta(seconds=10),
        started_at=NOW - timedelta(seconds=9),
    )
    return replace(plain_one, **values)  # type: ignore[arg-type]


@pytest.fixture
def half_done() -> Snapshot:
    ingest = execution(
        Stage.INGEST,
        Status.COMPLETED,
        completed_at=NOW - timedelta(seconds=7),
        result={"capture_id": "c", "rows": 5_328},
    )
    normalize = execution(
        Stage.NORMALIZE,
        Status.RETRY_SCHEDULED,
        attempt=2,
        error_code="STORE_UNAVAILABLE",
        error="The store is full.",
    )
    stages = (Stage.INGEST, Stage.NORMALIZE, Stage.AGGREGATE)
    return Snapshot(
        execution(Stage.WORKFLOW, Status.RUNNING),
        [ingest, normalize],
        steps=[(f"p.{stage}", stage) for stage in stages],
        retry_due={normalize.execution_id: NOW + timedelta(seconds=4)},
    )


def test_every_step_of_a_workflow_has_a_line_from_the_start(half_done):
    ingest, normalize, aggregate = stage_lines(half_done, NOW)
    assert ingest == Line("ingest", Status.COMPLETED, "5,328 rows", 2.0)
    assert normalize.note == "attempt 2 in 4 s, after STORE_UNAVAILABLE: The store is full."
    assert aggregate == Line("aggregate", None)


def test_several_partitions_are_told_apart():
    parts = [
        execution(
            Stage.NORMALIZE, Status.RUNNING, partition_key=f"week_ending=2025-11-{day}/tier=T"
        )
        for day in (14, 21)
    ]
    lines = stage_lines(Snapshot(execution(Stage.NORMALIZE, Status.RUNNING), parts), NOW)
    assert [line.label for line in lines] == ["normalize 2025-11-14 T", "normalize 2025-11-21 T"]


def test_a_whole_order_is_one_line_that_says_where_it_is(half_done):
    line = order_line(half_done, "the file", NOW)
    assert (line.label, line.status, line.seconds) == ("the file", Status.RUNNING, 9.0)


def test_elsewhere_than_on_a_terminal_each_end_is_one_plain_line(half_done):
    console = Console(file=io.StringIO(), width=60)
    with progress_view(console) as show:
        for later in range(3):
            show(stage_lines(half_done, NOW + timedelta(seconds=later)))
    printed = console.file.getvalue().splitlines()
    assert [line.split()[:2] for line in printed] == [
        ["ingest", "completed"],
        ["normalize", "retry_scheduled"],
    ]


def test_a_terminal_shows_every_line_and_no_more_than_it_has_room_for(half_done):
    console = Console(file=io.StringIO(), width=100, height=40, force_terminal=True)
    with progress_view(console) as show:
        show(stage_lines(half_done, NOW))
        show([Line(f"part {n}", Status.COMPLETED) for n in range(99)] + [Line("busy", None)])
    printed = console.file.getvalue()
    assert "waiting" in printed
    assert "busy" in printed
    assert "82 more" in printed


def test_text_of_the_data_cannot_steer_the_terminal():
    assert printable("\x1b[2Jred\x07") == "\\x1b[2Jred\\x07"
    assert printable("Brüssel: 100 %") == "Brüssel: 100 %"


def test_values_are_shown_as_people_write_them():
    shown = [plain(value) for value in (None, True, 1234567, NOW)]
    assert shown == ["", "yes", "1,234,567", "2025-12-22 12:00:00"]
    assert percent(0.821884) == "82.19%"
