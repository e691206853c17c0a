"""What is counted and measured, under which names; nowhere else is a metric declared."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_DURATIONS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900)
"""Seconds; the last bucket is the default deadline of a stage."""
_NO_FIGURES = ("_bucket", "_sum", "_created")


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one process, on a registry of its own."""

    registry: CollectorRegistry
    executions: Counter
    """Executions that reached a status, by pipeline, status."""
    execution_duration: Histogram
    """Seconds an attempt ran, by pipeline."""
    dead_letters: Counter
    """Commands given up, by pipeline."""
    pipeline_runs: Counter
    """Attempts, by pipeline, result (completed, skipped, retry, dead_letter)."""
    rows: Counter
    """Rows a stage handled, by stage, kind (read, written, rejected)."""
    lease_expiries: Counter
    """Executions whose worker stopped renewing its lease."""
    outbox_rows: Gauge
    """Messages waiting to be published."""
    outbox_age: Gauge
    """Seconds the oldest due message is late."""
    consumers: Gauge
    """Consumers the broker feeds in this process."""
    source_lag: Gauge
    """Partitions expected but not captured, by domain."""


def new_metrics() -> Metrics:
    """Return fresh metrics; one call a process, so that nothing is counted in two places."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return Metrics(
        registry=registry,
        executions=Counter(
            "spine_executions_total",
            "Executions that reached a status.",
            ["pipeline", "status"],
            registry=registry,
        ),
        execution_duration=Histogram(
            "spine_execution_duration_seconds",
            "How long an attempt ran.",
            ["pipeline"],
            buckets=_DURATIONS,
            registry=registry,
        ),
        dead_letters=Counter(
            "spine_dead_letters_total", "Commands given up.", ["pipeline"], registry=registry
        ),
        pipeline_runs=Counter(
            "spine_pipeline_runs_total",
            "Attempts by their result.",
            ["pipeline", "result"],
            registry=registry,
        ),
        rows=Counter(
            "spine_rows_total", "Rows a stage handled.", ["stage", "kind"], registry=registry
        ),
        lease_expiries=Counter(
            "spine_lease_expiries_total",
            "Executions whose worker stopped renewing its lease.",
            registry=registry,
        ),
        outbox_rows=Gauge(
            "spine_outbox_rows", "Messages waiting to be published.", registry=registry
        ),
        outbox_age=Gauge(
            "spine_outbox_age_seconds", "How late the oldest due message is.", registry=registry
        ),
        consumers=Gauge("spine_consumers", "Consumers the broker feeds.", registry=registry),
        source_lag=Gauge(
            "spine_source_lag",
            "Partitions expected but not captured.",
            ["domain"],
            registry=registry,
        ),
    )


def key_figures(registry: CollectorRegistry) -> dict[str, float]:
    """Return our metrics, each summed over its labels: enough for a look, less than a scrape."""
    figures: dict[str, float] = {}
    for metric in registry.collect():
        for sample in metric.samples:
            if sample.name.startswith("spine_") and not sample.name.endswith(_NO_FIGURES):
                figures[sample.name] = figures.get(sample.name, 0.0) + sample.value
    return figures
