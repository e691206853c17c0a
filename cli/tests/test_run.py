"""`spine run`: what it does, what it says, and which exit code it ends with."""

import gzip
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

WORKFLOW = "finra.otc_transparency.process_week"


def test_a_plain_pipeline_says_what_it_reports(spine):
    result = spine("run", "example.hello", "-p", "name=Alice")
    assert "Hello, Alice!" in result.stdout
    assert "completed" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("run", "run", "example.hello", "-p", "name=Bob"),
        ("run", "-p", "name=Bob", "example.hello"),
        ("pipeline", "run", "example.hello", "--param", "name=Bob"),
    ],
)
def test_every_spelling_of_run_is_the_same(spine, words):
    assert "Hello, Bob!" in spine(*words).stdout


def test_real_weeks_give_the_published_totals(spine, document, finra_files):
    file = finra_files / "finra_otc_weekly_otc_20251222.csv"
    spine(
        *("run", "run", WORKFLOW, "--week-ending", "2025-11-21", "--tier", "OTC"),
        *("--file", str(file)),
    )
    answer = document("query", "venues", "--tier", "OTC", "--top", "3")
    assert answer["total"] == 9
    assert [(row["venue"], round(row["share"], 6)) for row in answer["rows"]] == [
        ("OTCN", 0.809065),
        ("OTCX", 0.141796),
        ("ARCA", 0.046454),
    ]
    everything = document("query", "venues", "--limit", "100")["rows"]
    assert sum(int(row["total_volume"]) for row in everything) == 943_802_893
    assert sum(row["total_trades"] for row in everything) == 497_191
    assert document("query", "symbols")["total"] == 2_985
    (week,) = document("query", "weeks")["rows"]
    assert (week["rows"], week["rejected"], week["state"]) == (5_192, 0, "ready")


def test_a_second_run_is_skipped_and_no_failure(spine, weekly_file):
    words = ("run", WORKFLOW, "--file", str(weekly_file), "--week", "2025-11-14")
    assert "completed" in spine(*words).stdout
    again = spine(*words).stdout
    assert "skipped" in again
    assert "the same content was captured before" in again


def test_force_captures_the_same_content_again(spine, document, weekly_file):
    words = ("run", "otc.ingest", "--file", str(weekly_file), "--week", "2025-11-14")
    spine(*words)
    spine(*words, "--force")
    assert document("query", "captures")["total"] == 2


def test_the_summary_counts_rows_and_names_reasons(spine, weekly_file):
    result = spine("run", WORKFLOW, "--file", str(weekly_file), "--week", "2025-11-14")
    assert "200 captured, 197 accepted, 3 rejected" in result.stdout
    assert "2 blank_symbol" in result.stdout
    assert "query rejects" in result.stdout
    assert [line.split()[:2] for line in result.stderr.splitlines()] == [
        ["ingest", "completed"],
        ["normalize", "completed"],
        ["aggregate", "completed"],
    ]


def test_the_steps_one_by_one_come_to_the_same(spine, document, weekly_file):
    ingested = spine("run", "otc.ingest", "--file", str(weekly_file), "--week", "2025-11-14")
    assert "normalize_week -p capture_id=" in ingested.stdout
    spine("run", "otc.normalize")
    spine("run", "otc.summarize")
    assert document("query", "weeks")["rows"][0]["state"] == "ready"
    nothing_left = spine("run", "otc.summarize")
    assert "every partition has it done" in nothing_left.stdout


def test_nothing_is_left_to_send_after_a_run(spine, document, weekly_file):
    spine("run", WORKFLOW, "--file", str(weekly_file), "--week", "2025-11-14")
    with closing(sqlite3.connect("data/spine.db")) as database:
        assert database.execute("SELECT type FROM outbox").fetchall() == []
    children = document("execution", "list")["executions"]
    assert {execution["status"] for execution in children} == {"completed"}


def test_json_is_one_document_on_stdout(document, weekly_file):
    ran = document("run", WORKFLOW, "--file", str(weekly_file), "--week", "2025-11-14")
    assert ran["status"] == "completed"
    assert ran["rejected"] == {"blank_symbol": 2, "negative_quantity": 1}
    assert [child["stage"] for child in ran["children"]] == ["ingest", "normalize", "aggregate"]
    assert ran["capture"]["partition"] == "week_ending=2025-11-14/tier=OTC"


def test_a_file_that_was_uploaded_before_is_taken_as_it_is(document, weekly_file):
    words = ("run", "otc.ingest", "--week", "2025-11-14")
    held = document(*words, "--file", str(weekly_file))["params"]["file_path"]
    assert held.startswith("sha256:")
    again = document(*words, "-p", f"file_path={held}")
    assert again["status"] == "skipped"


def test_a_relative_gzipped_file_is_read_from_the_current_folder(document, weekly_file):
    Path("here.csv.gz").write_bytes(gzip.compress(weekly_file.read_bytes()))
    ran = document("run", "otc.ingest", "--week", "2025-11-14", "--file", "here.csv.gz")
    assert ran["result"]["rows"] == 200


def test_a_failed_run_says_code_message_and_remedy(spine, weekly_file):
    result = spine(
        *("run", WORKFLOW, "--file", str(weekly_file), "--week", "2025-11-14", "--tier", "T1"),
        code=1,
    )
    assert "PARTITION_CONTRADICTED" in result.stderr
    assert "Ask for tier OTC." in result.stderr
    assert "dead_lettered" in result.stdout
    assert '"event"' not in result.stderr


def test_a_failed_run_is_a_document_too(spine, weekly_file):
    words = ("run", WORKFLOW, "--file", str(weekly_file), "--week", "2025-11-14", "--tier", "T1")
    result = spine(*words, "--json", code=1)
    assert json.loads(result.stdout)["error_code"] == "PARTITION_CONTRADICTED"


def test_a_planned_retry_is_announced(spine, weekly_file, monkeypatch):
    monkeypatch.setenv("SPINE_STAGE_DEADLINE_SECONDS", "0.0001")
    monkeypatch.setenv("SPINE_MAX_RETRIES", "1")
    result = spine("run", "otc.ingest", "--file", str(weekly_file), "--week", "2025-11-14", code=1)
    assert "retry_scheduled" in result.stderr
    assert "attempt 2 in" in result.stderr
    assert result.stderr.count("retry_scheduled") == 1
    assert "DEADLINE_EXCEEDED" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (("no.such",), "PIPELINE_NOT_FOUND", "pipeline list"),
        (("otc.ingst",), "PIPELINE_NOT_FOUND", "otc.ingest"),
        (("example.hello", "-p", "name"), "INVALID_PARAMS", "KEY=VALUE"),
        (("example.hello", "-p", "nme=x"), "INVALID_PARAMS", "Did you mean name?"),
        (("example.hello", "--tier", "OTC"), "INVALID_PARAMS", "It takes name."),
        (("otc.ingest", "--tier", "T3"), "INVALID_TIER", "NMS_TIER_1, NMS_TIER_2, OTC"),
        (("otc.ingest", "--tier", "T1", "-p", "tier=T1"), "INVALID_PARAMS", "given twice"),
        (("otc.ingest", "--week", "2025-11-10"), "INVALID_DATE", "2025-11-14"),
        (("otc.ingest", "--file", "no.csv"), "SOURCE_NOT_FOUND", "no.csv"),
    ],
)
def test_what_is_typed_wrong_ends_with_2_and_says_what_would_be_right(spine, words, code, hint):
    result = spine("run", *words, code=2)
    assert result.stderr.startswith(code)
    assert hint in result.stderr
    assert result.stdout == ""


def test_an_error_is_a_document_where_one_is_asked_for(document):
    error = document("run", "no.such", code=2)["error"]
    assert error["code"] == "PIPELINE_NOT_FOUND"
    assert error["message"]
    assert error["remedy"]


def test_nothing_is_recorded_of_an_order_that_was_refused(spine, document):
    spine("run", "otc.ingest", "--file", "no.csv", code=2)
    assert document("execution", "list")["executions"] == []


def test_a_broker_is_not_asked_by_run(spine, monkeypatch):
    monkeypatch.setenv("RABBITMQ_URL", "amqp://nobody:nothing@127.0.0.1:1/")
    assert "Hello, World!" in spine("run", "example.hello").stdout


def test_a_bad_setting_ends_with_2(spine, monkeypatch):
    monkeypatch.setenv("SPINE_MAX_RETRIES", "many")
    assert "SPINE_MAX_RETRIES" in spine("run", "example.hello", code=2).stderr
