"""`spine execution`, `pipeline`, `submit`, `db`, `bus`: what is recorded and declared."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest


def test_an_order_waits_until_somebody_runs_it(spine, document):
    ordered = document("submit", "example.hello", "--lane", "backfill")
    assert (ordered["status"], ordered["lane"]) == ("pending", "backfill")
    shown = document("execution", "show", ordered["id"])
    assert [event["type"] for event in shown["events"]] == ["submitted"]
    spine("run", "example.hello", "-p", "name=Bob")
    listed = document("execution", "list")["executions"]
    assert {execution["status"] for execution in listed} == {"completed"}


@pytest.mark.parametrize("words", [("dispatch",), ("pipeline", "submit"), ("submit",)])
def test_every_spelling_of_submit_is_the_same(document, words):
    assert document(*words, "example.hello", "--param", "name=Al")["params"] == {"name": "Al"}


def test_an_open_order_is_not_ordered_twice(document):
    assert document("submit", "example.hello")["id"] == document("submit", "example.hello")["id"]


def test_a_submitted_file_is_uploaded_for_whoever_runs_it(document, weekly_file):
    ordered = document("submit", "otc.ingest", "--file", str(weekly_file))
    assert ordered["params"]["file_path"].startswith("sha256:")
    assert ordered["params"]["file_path"].endswith(f"/{weekly_file.name}")


@pytest.mark.parametrize("word", ["show", "status"])
def test_an_execution_is_shown_with_events_children_and_error(spine, document, word, weekly_file):
    words = ("finra.otc_transparency.process_week", "--week", "2025-11-14", "--tier", "T1")
    failed = document("run", *words, "--file", str(weekly_file), code=1)
    shown = document("execution", word, failed["id"])
    assert [child["stage"] for child in shown["children"]] == ["ingest"]
    assert shown["events"][-1]["type"] == "dead_lettered"
    assert shown["partition"] == "week_ending=2025-11-14/tier=NMS_TIER_1"
    text = spine("execution", word, failed["id"]).stdout
    assert "PARTITION_CONTRADICTED" in text
    assert "2025-11-14 NMS_TIER_1" in text


def test_executions_are_listed_by_status_and_pipeline(document):
    document("run", "example.hello")
    document("submit", "otc.ingest")
    words = ("execution", "list")
    assert len(document(*words)["executions"]) == 2
    assert len(document(*words, "--status", "pending")["executions"]) == 1
    (ingest,) = document(*words, "--pipeline", "otc.ingest")["executions"]
    assert ingest["pipeline"] == "finra.otc_transparency.ingest_week"
    assert len(document(*words, "--limit", "1")["executions"]) == 1


def test_an_unknown_execution_is_no_usage_error(document):
    assert document("execution", "show", "nope", code=1)["error"]["code"] == "EXECUTION_NOT_FOUND"


@pytest.mark.parametrize("word", ["show", "status", "cancel"])
def test_an_execution_s_id_may_be_written_in_capitals(document, word):
    ordered = document("submit", "example.hello")
    assert document("execution", word, ordered["id"].upper())["id"] == ordered["id"]


@pytest.mark.parametrize("word", ["show", "cancel"])
def test_an_execution_that_is_not_there_is_quoted(document, word):
    error = document("execution", word, "", code=1)["error"]
    assert (error["code"], error["message"]) == ("EXECUTION_NOT_FOUND", "There is no execution ''.")
    assert "spine execution list" in error["remedy"]


@pytest.mark.parametrize("words", [("pipeline", "list"), ("list",)])
def test_pipelines_are_listed_with_their_other_names(spine, document, words):
    assert "otc.ingest" in spine(*words).stdout
    names = [pipeline["name"] for pipeline in document(*words)["pipelines"]]
    assert "finra.otc_transparency.process_week" in names
    assert [p["name"] for p in document(*words, "--prefix", "example")["pipelines"]] == [
        "example.hello"
    ]


def test_a_pipeline_is_shown_with_its_parameters(spine, document):
    shown = document("pipeline", "show", "otc.ingest")
    assert shown["name"] == "finra.otc_transparency.ingest_week"
    tier = next(param for param in shown["params"] if param["name"] == "tier")
    assert tier["choices"] == ["NMS_TIER_1", "NMS_TIER_2", "OTC"]
    assert "file_path" in spine("pipeline", "show", "otc.ingest").stdout
    assert "PIPELINE_NOT_FOUND" in spine("pipeline", "show", "nope", code=2).stderr


def test_the_database_is_migrated_reset_and_looked_at(spine, document):
    assert document("db", "status", code=1)["is_current"] is False
    spine("db", "init")
    assert document("db", "status")["is_current"] is True
    spine("run", "example.hello")
    spine("db", "migrate")
    assert len(document("execution", "list")["executions"]) == 1
    spine("db", "reset")
    assert document("execution", "list")["executions"] == []


def test_a_reset_at_a_terminal_asks_first(spine, document):
    spine("run", "example.hello")
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"n\n")
        asked = subprocess.run(  # noqa: S603 - our own program
            [Path(sys.executable).parent / "spine", "db", "reset"],
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert asked.returncode == 1
    assert "Drop everything" in asked.stderr
    assert len(document("execution", "list")["executions"]) == 1


def test_the_bus_in_process_needs_no_declaration(spine, document):
    assert "nothing needs declaring" in spine("bus", "declare").stdout
    assert document("bus", "declare") == {"broker": None, "declared": False}


def test_a_broker_is_declared(document, monkeypatch, rabbit_url):
    monkeypatch.setenv("RABBITMQ_URL", rabbit_url)
    assert document("bus", "declare")["declared"] is True


def test_a_broker_that_is_away_is_an_error_without_its_password(spine, monkeypatch):
    monkeypatch.setenv("RABBITMQ_URL", "amqp://me:hidden@127.0.0.1:1/")
    result = spine("bus", "declare", code=1)
    assert "BUS_UNAVAILABLE" in result.stderr
    assert "hidden" not in result.output


def test_a_database_server_is_migrated_by_its_operator_only(
    spine, document, monkeypatch, empty_postgres_url
):
    monkeypatch.setenv("DATABASE_URL", empty_postgres_url)
    refused = spine("run", "example.hello", code=1)
    assert "SCHEMA_MISSING" in refused.stderr
    assert "spine db migrate" in refused.stderr
    spine("db", "migrate")
    assert document("run", "example.hello")["status"] == "completed"
    spine("db", "reset")
    assert document("execution", "list")["executions"] == []
