"""`spine query`: which capture answers, and how the answer is printed."""

import csv
import io
import shutil
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spine_cli.main import app
from spine_common.testing.synthetic import OTC, Week, frame, restated, write

WORKFLOW = "finra.otc_transparency.process_week"
FRIDAY = date(2025, 11, 14)
WEEK = Week(FRIDAY, OTC, rows=60)


@pytest.fixture(scope="session")
def captured_twice(tmp_path_factory) -> Path:
    """Capture a week and its restatement once, for every test to copy."""
    folder: Path = tmp_path_factory.mktemp("captured-twice")
    corrected = restated(WEEK, 10, 1_000_000_000, updated=date(2025, 12, 30))
    for week in (WEEK, corrected):
        words = ["run", WORKFLOW, "--file", str(write(week, folder)), "--week", f"{FRIDAY}"]
        ran = CliRunner().invoke(app, words, env={"SPINE_DATA_DIR": str(folder / "data")})
        assert ran.exit_code == 0, ran.output
    return folder / "data"


@pytest.fixture
def two_vintages(document, captured_twice):
    """Return the symbol restated and both captures of its week, the older one first."""
    shutil.copytree(captured_twice, "data")
    newest, oldest = document("query", "captures")["rows"]
    return frame(WEEK).filter(line=10)["symbol"].item(), oldest, newest


def volume_of(answer, symbol):
    return next(int(row["total_volume"]) for row in answer["rows"] if row["symbol"] == symbol)


def test_the_latest_capture_answers_unless_another_is_asked_for(document, two_vintages):
    symbol, oldest, newest = two_vintages
    words = ("query", "symbols", "--limit", "100")
    now = document(*words)
    assert now["capture"]["capture_id"] == newest["capture_id"]
    assert now["rows"][0]["symbol"] == symbol
    before = document(*words, "--as-of", oldest["captured_at"])
    named = document(*words, "--capture-id", oldest["capture_id"])
    assert before == named
    assert volume_of(before, symbol) < volume_of(now, symbol)


def test_a_mere_day_means_its_end(document, two_vintages):
    _, _, newest = two_vintages
    day = newest["captured_at"][:10]
    assert document("query", "venues", "--as-of", day)["capture"]["version"] == 2


def test_nothing_was_known_before_the_first_capture(spine, two_vintages):
    del two_vintages
    result = spine("query", "venues", "--tier", "OTC", "--as-of", "2020-01-01", code=1)
    assert "CAPTURE_NOT_FOUND" in result.stderr
    assert spine("query", "captures", "--as-of", "2020-01-01").stdout == "None.\n"


def test_a_table_shows_shares_as_percent_and_csv_the_number(spine, two_vintages):
    del two_vintages
    table = spine("query", "venues", "--top", "1").stdout
    assert "%" in table
    assert "--limit shows more" in table
    printed = spine("query", "venues", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)


def test_several_tiers_have_to_be_told_apart(spine, two_vintages, tmp_path):
    del two_vintages
    file = write(Week(FRIDAY, "NMS_TIER_2", rows=20), tmp_path)
    spine("run", WORKFLOW, "--file", str(file), "--week", f"{FRIDAY}")
    result = spine("query", "venues", code=2)
    assert "--tier NMS_TIER_2 or --tier OTC" in result.stderr
    assert "NMS_TIER_2" in spine("query", "venues", "--tier", "T2").stdout
    assert "OTC" not in spine("query", "weeks", "--tier", "T2").stdout


def test_rejects_show_line_reason_and_text(spine, document, weekly_file):
    spine("run", WORKFLOW, "--file", str(weekly_file), "--week", "2025-11-14")
    answer = document("query", "rejects", "--reason", "blank_symbol")
    assert answer["total"] == 2
    assert {row["reason"] for row in answer["rows"]} == {"blank_symbol"}
    assert all("||" in row["text"] for row in answer["rows"])
    assert "negative_quantity" in spine("query", "rejects").stdout


def test_numbers_that_are_not_there_yet_are_not_an_empty_answer(spine, weekly_file):
    spine("run", "otc.ingest", "--file", str(weekly_file), "--week", "2025-11-14")
    assert "DATA_NOT_READY" in spine("query", "venues", code=1).stderr


def test_an_empty_database_says_so(spine):
    assert spine("query", "weeks").stdout == "None.\n"
    assert "Nothing is captured yet." in spine("query", "venues", code=1).stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("symbols", "--as-of", "yesterday"), "INVALID_DATE"),
        (("venues", "--tier", "T9"), "INVALID_TIER"),
        (("weeks", "--week-ending", "2025-11-10"), "INVALID_DATE"),
    ],
)
def test_a_question_typed_wrong_ends_with_2(document, words, code):
    assert document("query", *words, code=2)["error"]["code"] == code


@pytest.mark.parametrize("words", [("venues", "--format", "xml"), ("prices",), ("weeks", "-n0")])
def test_an_option_typed_wrong_ends_with_2(spine, words):
    spine("query", *words, code=2)
