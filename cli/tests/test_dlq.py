"""`spine dlq`: what is listed, shown and grouped of dead letters."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from spine_cli.deadletters.choice import State
from spine_common.core.letters import LetterState

PIPELINE = "finra.otc_transparency.ingest_week"
WEEK = {"week_ending": "2025-11-14", "tier": "OTC"}


@pytest.fixture
def failed(order, finish) -> list[str]:
    """Let three commands fail for good, of two causes; return their executions."""
    ids = [order("otc.ingest", file_path=f"no-{n}.csv", **WEEK) for n in range(2)]
    ids.append(order("otc.ingest", **WEEK))
    finish()
    return ids


def numbers(listed) -> list[int]:
    return [letter["id"] for letter in listed["dead_letters"]]


def test_nothing_dead_is_no_failure(spine, document):
    assert "None." in spine("dlq", "list").stdout
    assert document("dlq", "groups") == {"groups": [], "total": 0, "has_more": False}
    assert document("dlq", "retry-all")["retried"] == []


def test_letters_are_listed_the_newest_first_with_why(spine, document, failed):
    listed = document("dlq", "list")
    assert numbers(listed) == sorted(numbers(listed), reverse=True)
    assert {letter["execution_id"] for letter in listed["dead_letters"]} == set(failed)
    assert (listed["total"], listed["has_more"]) == (3, False)
    text = spine("dlq", "list", "-n", "2").stdout
    assert "MISSING_REQUIRED" in text
    assert "2 of 3" in text


def test_letters_are_chosen_by_what_they_have(document, failed):
    def count(*words: str) -> int:
        total: int = document("dlq", "list", *words)["total"]
        return total

    assert count("--pipeline", "otc.ingest") == len(failed)
    assert count("--pipeline", "otc.normalize") == 0
    assert count("--code", "SOURCE_NOT_FOUND") == 2
    assert count("--partition", "week_ending=2025-11-14/tier=OTC") == len(failed)
    assert count("--partition", "week_ending=2025-11-14/tier=NMS_TIER_1") == 0
    assert count("--state", "retried") == 0
    assert count("--state", "all") == len(failed)


def test_a_mere_day_is_the_whole_day(document, failed):
    today = datetime.now(UTC).date()
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    assert document("dlq", "list", "--since", f"{yesterday}")["total"] == len(failed)
    assert document("dlq", "list", "--since", f"{today}")["total"] == len(failed)
    assert document("dlq", "list", "--since", f"{tomorrow}")["total"] == 0
    assert document("dlq", "list", "--until", f"{tomorrow}")["total"] == len(failed)
    assert document("dlq", "list", "--until", f"{yesterday}")["total"] == 0
    assert document("dlq", "list", "--since", f"{today}", "--until", f"{tomorrow}")["total"] == 3


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("list", "--since", "yesterday"), "INVALID_DATE"),
        (("list", "--since", "2025-12-20", "--until", "2025-12-19"), "INVALID_DATE"),
        (("groups", "--pipeline", "otc.ingst"), "PIPELINE_NOT_FOUND"),
        (("retry",), "MISSING_REQUIRED"),
        (("retry", "1", "--code", "X"), "INVALID_PARAMS"),
        (("retry", "1", "--rate", "3"), "INVALID_PARAMS"),
        (("retry", "9" * 30), "INVALID_PARAMS"),
        (("discard", "1", "--reason", " "), "INVALID_PARAMS"),
        (("show", "1", "--body"), "INVALID_PARAMS"),
    ],
)
def test_what_is_typed_wrong_ends_with_2(document, words, code):
    assert document("dlq", *words, code=2)["error"]["code"] == code


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize(
    ("option", "right"),
    [
        ("--pipeline", "pipeline list"),
        ("--partition", "week_ending=2025-11-14/tier=OTC"),
        ("--code", "dlq groups"),
        ("--shape", "dlq groups"),
        ("--since", "2025-12-20"),
        ("--until", "2025-12-20"),
    ],
)
@pytest.mark.parametrize("value", ["", " "])
def test_a_filter_without_a_value_is_not_everything(document, option, value, right):
    for words in (
        ("retry", "--pipeline", "otc.ingest"),
        ("discard", "--reason", "x", "--yes"),
        ("list",),
        ("groups",),
    ):
        error = document("dlq", *words, option, value, code=2)["error"]
        assert error["code"] in {"INVALID_PARAMS", "INVALID_DATE"}
        assert option in error["message"]
        assert right in error["remedy"]
    assert document("dlq", "list")["total"] == 3


@pytest.mark.usefixtures("failed")
def test_failures_of_one_cause_are_one_line(spine, document, keep):
    for _ in range(3):
        keep(b'{"half": ')
    groups = document("dlq", "groups")["groups"]
    told = [(g["code"], g["pipeline"], g["shape"], g["kind"], g["letters"]) for g in groups]
    assert told == [
        ("MESSAGE_UNDECODABLE", None, "no JSON", "poison", 3),
        ("SOURCE_NOT_FOUND", PIPELINE, "spine.command.ingest.v1", "permanent", 2),
        ("MISSING_REQUIRED", PIPELINE, "spine.command.ingest.v1", "permanent", 1),
    ]
    assert all(group["first_seen"] <= group["last_seen"] for group in groups)
    text = spine("dlq", "groups", "--pipeline", "otc.ingest").stdout
    assert f"dlq retry --code SOURCE_NOT_FOUND --pipeline {PIPELINE}" in text
    assert "dlq retry --code MESSAGE_UNDECODABLE --shape 'no JSON'" in spine("dlq", "groups").stdout


def test_a_cause_is_told_by_its_newest_letter(spine, document, keep):
    keep(b"1", reason="of all the last by the alphabet", message_id="1")
    keep(b"2", reason="newest", message_id="2")
    (cause,) = document("dlq", "groups")["groups"]
    assert (cause["newest_id"], cause["example"]) == (2, "newest")
    assert "reason     newest\n" in spine("dlq", "groups").stdout


def test_a_letter_is_shown_with_message_headers_and_execution(spine, document, failed):
    (letter,) = document("dlq", "list", "--code", "MISSING_REQUIRED")["dead_letters"]
    shown = document("dlq", "show", str(letter["id"]))
    assert shown["execution"]["id"] == failed[2]
    assert shown["execution"]["status"] == "dead_lettered"
    assert shown["headers"]["x-death"][0]["queue"] == "spine.ingest.normal"
    assert json.loads(shown["body"]["text"])["type"] == "spine.command.ingest.v1"
    text = spine("dlq", "show", str(letter["id"])).stdout
    for words in ("MISSING_REQUIRED (permanent)", "x-death", failed[2], "dlq retry", "needs file"):
        assert words in text


def test_a_message_can_not_steer_the_terminal(spine, keep):
    keep(b"\x1b[2Jred\x07\nstate      retried")
    text = spine("dlq", "show", "1").stdout
    assert "\x1b" not in text
    assert "  \\x1b[2Jred\\x07\n" in text
    assert "\nstate      retried" not in text
    assert text.count("state      waiting") == 1


def test_a_long_message_is_cut_and_can_be_had_whole(spine, document, keep):
    keep(b"x" * 70_000)
    text = spine("dlq", "show", "1").stdout
    assert "70,000 bytes" in text
    assert len(text) < 4_000
    assert spine("dlq", "show", "1", "--body").stdout_bytes == b"x" * 70_000
    assert len(document("dlq", "show", "1")["body"]["text"]) == 70_000


def test_bytes_that_are_no_text_are_dumped_and_written_as_they_are(spine, document, keep):
    body = bytes(range(256)) * 2
    keep(body, headers={"x-what": "\x1b]0;title\x07"})
    text = spine("dlq", "show", "1").stdout
    assert "0040  40 41 42 43" in text
    assert "@ABC" in text
    assert "cut after 256 bytes" in text
    assert "\x1b" not in text
    assert spine("dlq", "show", "1", "--body").stdout_bytes == body
    assert document("dlq", "show", "1")["body"]["text"] is None


def test_a_letter_nobody_knows_is_not_found(document):
    assert document("dlq", "show", "7", code=1)["error"]["code"] == "DEAD_LETTER_NOT_FOUND"


def test_every_state_of_a_letter_can_be_asked_for():
    assert {state.value for state in State} == {state.value for state in LetterState} | {"all"}
