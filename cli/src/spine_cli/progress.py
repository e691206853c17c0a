"""What the ledger says of an order, as lines a person can follow: pure, no I/O, no clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from spine_common.core.execution import TERMINAL, Execution, Status
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import Stage


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An order as the ledger shows it at one moment."""

    execution: Execution
    children: Sequence[Execution] = ()
    steps: Sequence[tuple[str, Stage]] = ()
    """What a workflow runs one after the other: pipeline names and their stages."""
    retry_due: Mapping[ExecutionId, datetime] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether a terminal event is there."""
        return self.execution.status in TERMINAL

    @property
    def parts(self) -> Sequence[Execution]:
        """What does the work: the children, or the execution itself."""
        return self.children or (self.execution,)

    def child(self, stage: Stage) -> Execution | None:
        """Return the part that ran a stage; the last one if there are several."""
        return next((part for part in reversed(self.parts) if part.stage is stage), None)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of progress. No ``status`` means that it waits for the line before."""

    label: str
    status: Status | None
    rows: str = ""
    seconds: float | None = None
    note: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is still to come."""
        return self.status not in TERMINAL


def stage_lines(snapshot: Snapshot, now: datetime) -> list[Line]:
    """Return a line for each stage of an order, those still to be ordered included."""
    several = len({part.partition_key for part in snapshot.children}) > 1
    lines = [
        Line(
            label=f"{part.stage} {partition_text(part)}" if several else str(part.stage),
            status=part.status,
            rows=rows_text(part),
            seconds=seconds(part, now),
            note=note(part, snapshot.retry_due.get(part.execution_id), now),
        )
        for part in snapshot.parts
        if part.stage is not Stage.WORKFLOW
    ]
    if not snapshot.has_ended:
        ordered = {child.pipeline for child in snapshot.children}
        lines += [Line(stage, None) for name, stage in snapshot.steps if name not in ordered]
    return lines


def order_line(snapshot: Snapshot, label: str, now: datetime) -> Line:
    """Return one line for a whole order: where it stands, what it made."""
    at_work = next((part for part in reversed(snapshot.parts) if part.is_open), None)
    normalized = snapshot.child(Stage.NORMALIZE)
    told = (note(part, snapshot.retry_due.get(part.execution_id), now) for part in snapshot.parts)
    return Line(
        label=label,
        status=snapshot.execution.status,
        rows=rows_text(normalized) if normalized else "",
        seconds=seconds(snapshot.execution, now),
        note=next(filter(None, told), str(at_work.stage) if at_work else ""),
    )


def seconds(execution: Execution, now: datetime) -> float | None:
    """Return how long it has been at work; None before it started."""
    if execution.started_at is None:
        return None
    return max(0.0, ((execution.completed_at or now) - execution.started_at).total_seconds())


def rows_text(execution: Execution) -> str:
    """Say how many rows a stage made, from what it reported."""
    made = {name: n for name, n in execution.result.items() if isinstance(n, int)}
    match execution.stage:
        case Stage.INGEST if "rows" in made:
            return f"{made['rows']:,} rows"
        case Stage.NORMALIZE if "accepted" in made:
            rejected = made.get("rejected", 0)
            tail = f", {rejected:,} rejected" if rejected else ""
            return f"{made['accepted']:,} rows{tail}"
        case Stage.AGGREGATE if "capture_id" in execution.result and made:
            return f"{sum(made.values()):,} rows in {len(made)} tables"
        case _:
            return ""


def note(execution: Execution, retry_due: datetime | None, now: datetime) -> str:
    """Say what a person should know of an execution beyond its state."""
    failure = f"{execution.error_code}: {execution.error}"
    match execution.status:
        case Status.RETRY_SCHEDULED:
            left = max(0.0, (retry_due - now).total_seconds()) if retry_due else 0.0
            return f"attempt {execution.attempt} in {left:.0f} s, after {failure}"
        case Status.FAILED | Status.DEAD_LETTERED:
            return failure
        case Status.SKIPPED:
            return str(execution.result.get("reason", ""))
        case Status.COMPLETED if failed := execution.result.get("failed_checks"):
            return f"failed checks: {', '.join(failed)}"
        case _:
            return ""


def partition_text(execution: Execution) -> str:
    """Return the partition as people say it: ``2025-11-14 OTC``."""
    return partition_words(execution.partition_key or "")


def partition_words(key: str) -> str:
    """Return a partition's key as people say it."""
    pairs = key.split("/")
    return " ".join(pair.partition("=")[2] for pair in pairs if pair)
