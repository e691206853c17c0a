"""The metrics keep the names people have dashboards for."""

from prometheus_client import generate_latest

from spine_common.observability.metrics import key_figures, new_metrics


def test_the_promised_names_and_labels_are_exposed():
    metrics = new_metrics()
    metrics.executions.labels("p", "completed").inc()
    metrics.execution_duration.labels("p").observe(0.3)
    metrics.dead_letters.labels("p").inc()
    metrics.pipeline_runs.labels("p", "completed").inc()
    metrics.rows.labels("normalize", "written").inc(7)

    text = generate_latest(metrics.registry).decode()

    for sample in (
        'spine_executions_total{pipeline="p",status="completed"} 1.0',
        'spine_execution_duration_seconds_count{pipeline="p"} 1.0',
        'spine_dead_letters_total{pipeline="p"} 1.0',
        'spine_pipeline_runs_total{pipeline="p",result="completed"} 1.0',
        'spine_rows_total{kind="written",stage="normalize"} 7.0',
        "spine_outbox_rows 0.0",
        "spine_outbox_age_seconds 0.0",
        "spine_lease_expiries_total 0.0",
        "spine_consumers 0.0",
    ):
        assert sample in text


def test_two_sets_of_metrics_do_not_meet():
    one, other = new_metrics(), new_metrics()
    one.consumers.set(3)

    assert key_figures(one.registry)["spine_consumers"] == 3
    assert key_figures(other.registry)["spine_consumers"] == 0


def test_key_figures_are_summed_over_labels():
    metrics = new_metrics()
    metrics.rows.labels("ingest", "read").inc(2)
    metrics.rows.labels("normalize", "written").inc(3)
    metrics.execution_duration.labels("p").observe(1)

    figures = key_figures(metrics.registry)

    assert figures["spine_rows_total"] == 5
    assert figures["spine_execution_duration_seconds_count"] == 1
    assert not [name for name in figures if name.endswith(("_bucket", "_created", "_sum"))]
