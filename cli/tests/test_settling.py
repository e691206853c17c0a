"""`spine dlq retry`, `retry-all` and `discard`: what a person decides, once."""

import os
import pty
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

WORKFLOW = "finra.otc_transparency.process_week"
WEEK = {"week_ending": "2025-11-14", "tier": "OTC"}


@pytest.fixture
def three(order, finish) -> list[str]:
    """Let three commands fail for good; return their executions."""
    ids = [order("otc.ingest", file_path=f"no-{n}.csv", **WEEK) for n in range(3)]
    finish()
    return ids


def test_a_file_that_came_late_is_retried_to_the_end(spine, document, order, finish, weekly_file):
    parent = order(WORKFLOW, file_path="late.csv", **WEEK)
    finish()
    (letter,) = document("dlq", "list")["dead_letters"]
    assert letter["code"] == "SOURCE_NOT_FOUND"
    shutil.copy(weekly_file, "late.csv")

    said = spine("dlq", "retry", str(letter["id"])).stdout
    assert "1 ordered again." in said
    assert "spine worker, or spine up, does it if none is running." in said.replace(
        f"{Path(sys.executable).parent}/", ""
    )
    finish()

    (week,) = document("query", "weeks")["rows"]
    assert (week["state"], week["rows"]) == ("ready", 200)
    shown = document("dlq", "show", str(letter["id"]))
    assert (shown["state"], shown["retry"]["status"]) == ("retried", "completed")
    steps = document("execution", "show", shown["retry"]["id"])["children"]
    assert [step["stage"] for step in steps] == ["normalize", "aggregate"]
    assert document("execution", "show", parent)["status"] == "dead_lettered"
    assert document("ledger", "verify")["is_sound"] is True


def test_a_letter_is_retried_once_however_often_it_is_asked(spine, document, three):
    first = document("dlq", "retry", "1")
    again = document("dlq", "retry", "1")
    assert [one["is_new"] for one in (*first["retried"], *again["retried"])] == [True, False]
    assert first["retried"][0]["execution_id"] == again["retried"][0]["execution_id"]
    said = spine("dlq", "retry", "1").stdout
    assert first["retried"][0]["execution_id"] in said
    assert "1 asked for before." in said
    assert len(document("execution", "list")["executions"]) == len(three) + 1


def test_an_execution_means_the_letters_of_all_it_led_to(document, order, finish):
    parent = order(WORKFLOW, file_path="no.csv", **WEEK)
    finish()
    (first,) = document("dlq", "retry", parent)["retried"]
    (again,) = document("dlq", "retry", parent)["retried"]
    assert (first["is_new"], again["is_new"]) == (True, False)
    assert first["execution_id"] == again["execution_id"]
    finish()
    (third,) = document("dlq", "retry", parent)["retried"]
    assert third["is_new"]
    assert third["execution_id"] != first["execution_id"]


@pytest.mark.usefixtures("three")
def test_what_can_not_be_retried_is_listed_with_its_reason(spine, document):
    document("dlq", "discard", "2", "--reason", "the file never existed")
    some = document("dlq", "retry", "1", "2", "99")
    assert [one["dead_letter_id"] for one in some["retried"]] == [1]
    assert [one["dead_letter_id"] for one in some["not_retried"]] == [2, 99]
    assert "the file never existed" in some["not_retried"][0]["reason"]
    said = spine("dlq", "retry", "2", code=1).stdout
    assert "the file never existed" in said
    assert "worker" not in said


def test_an_execution_without_letters_says_so(document):
    ran = document("run", "example.hello")
    for word, words in (("retried", ("retry",)), ("discarded", ("discard", "--reason", "x"))):
        (refused,) = document("dlq", *words, ran["id"], code=1)[f"not_{word}"]
        assert "is completed: no dead letter of it waits" in refused["reason"]
        assert (refused["dead_letter_id"], refused["execution_id"]) == (None, ran["id"])
        (unknown,) = document("dlq", *words, "nope", code=1)[f"not_{word}"]
        assert "There is no execution 'nope'" in unknown["reason"]
        assert (unknown["dead_letter_id"], unknown["execution_id"]) == (None, "nope")


def test_an_execution_retried_twice_is_told_with_its_letter(spine, document, three):
    (first,) = document("dlq", "retry", three[2])["retried"]
    (again,) = document("dlq", "retry", three[2].upper())["retried"]
    assert again == {**first, "is_new": False}
    said = spine("dlq", "retry", three[2]).stdout
    assert f"{first['dead_letter_id']}   asked for before   {first['execution_id']}" in said


@pytest.mark.parametrize("wrong", ["9" * 20, "", " "])
def test_names_are_all_looked_at_before_anything_is_done(document, three, wrong):
    for words in (("retry",), ("discard", "--reason", "x")):
        error = document("dlq", *words, "1", wrong, three[1], code=2)["error"]
        assert error["code"] == "INVALID_PARAMS"
        assert repr(wrong) in error["message"]
    assert document("dlq", "list")["total"] == len(three)


@pytest.mark.usefixtures("three")
def test_a_filter_retries_what_fits_and_says_how_many_wait_still(document, spine, keep):
    keep(b'{"half": ')
    none = document("dlq", "retry", "--code", "SOURCE_EMPTY")
    assert none == {"retried": [], "not_retried": [], "still_waiting": 0}
    two = document("dlq", "retry", "--pipeline", "otc.ingest", "--limit", "2", "--rate", "100")
    assert [one["dead_letter_id"] for one in two["retried"]] == [1, 2]
    assert two["still_waiting"] == 1
    assert "1 ordered again." in spine("dlq", "retry", "--code", "SOURCE_NOT_FOUND").stdout
    assert document("dlq", "list")["total"] == 1


def test_a_rate_spreads_retries_over_time(document, three):
    document("dlq", "retry-all", "--rate", "0.01", "--yes")
    with closing(sqlite3.connect("data/spine.db")) as database:
        spread = "SELECT (julianday(max(available_at)) - julianday(min(available_at))) * 86400"
        ((seconds,),) = database.execute(f"{spread} FROM outbox").fetchall()
    assert seconds == pytest.approx(100 * (len(three) - 1), abs=5)


def test_all_are_retried_only_on_a_word(document, three):
    refused = document("dlq", "retry-all", code=2)["error"]
    assert (refused["code"], refused["remedy"]) == ("MISSING_REQUIRED", "Add --yes.")
    assert "3 dead letters" in refused["message"]
    assert len(document("dlq", "retry-all", "--yes")["retried"]) == len(three)


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"y\n", 0)])
def test_a_terminal_is_asked_with_the_number_of_letters(document, three, answer, code):
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer)
        asked = subprocess.run(  # noqa: S603 - our own program
            [Path(sys.executable).parent / "spine", "dlq", "retry-all"],
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert asked.returncode == code, asked
    assert "Try 3 dead letters again?" in asked.stderr
    assert document("dlq", "list")["total"] == (len(three) if code else 0)


def test_letters_are_discarded_with_a_reason_and_stay(spine, document, three):
    assert "1 discarded." in spine("dlq", "discard", "1", "--reason", "a test").stdout
    assert "1 discarded before." in spine("dlq", "discard", "1", "--reason", "again").stdout
    shown = document("dlq", "show", "1")
    assert (shown["state"], shown["settled_because"]) == ("discarded", "a test")
    assert document("dlq", "list")["total"] == len(three) - 1


def test_discarding_needs_a_reason_and_a_filter_a_word_as_well(spine, document, three):
    spine("dlq", "discard", "1", code=2)
    words = ("dlq", "discard", "--code", "SOURCE_NOT_FOUND", "--reason", "a test")
    assert document(*words, code=2)["error"]["code"] == "MISSING_REQUIRED"
    assert len(document(*words, "--yes")["discarded"]) == len(three)
    assert document("dlq", "list", "--state", "discarded")["total"] == len(three)


def test_an_execution_s_letters_are_discarded(spine, document, three):
    (one,) = document("dlq", "discard", three[1], "--reason", "a test")["discarded"]
    assert document("dlq", "show", str(one["dead_letter_id"]))["execution_id"] == three[1]
    again = document("dlq", "discard", three[1], "--reason", "x")["discarded"]
    assert again == [{**one, "is_new": False}]
    said = spine("dlq", "discard", three[1], "--reason", "x").stdout
    assert f"{one['dead_letter_id']}   discarded before" in said
    assert document("dlq", "show", str(one["dead_letter_id"]))["settled_because"] == "a test"


def test_what_was_retried_is_not_discarded_by_either_name(document, three):
    (one,) = document("dlq", "retry", three[0])["retried"]
    number = one["dead_letter_id"]
    for name in (three[0], str(number)):
        (refused,) = document("dlq", "discard", name, "--reason", "x", code=1)["not_discarded"]
        assert (refused["dead_letter_id"], "is retried" in refused["reason"]) == (number, True)


def test_what_was_discarded_is_not_retried_by_either_name(document, three):
    (one,) = document("dlq", "discard", three[0], "--reason", "a test")["discarded"]
    number = one["dead_letter_id"]
    for name, asked in ((three[0], three[0]), (str(number), None)):
        (refused,) = document("dlq", "retry", name, code=1)["not_retried"]
        assert (refused["dead_letter_id"], refused["execution_id"]) == (number, asked)
        assert "a test" in refused["reason"]


def test_a_message_that_is_none_is_sent_again_as_it_came(spine, document, keep, finish):
    death = {
        "count": 1,
        "reason": "rejected",
        "queue": "spine.normalize.normal",
        "exchange": "spine.commands",
        "routing-keys": ["normalize.normal.suite"],
    }
    keep(b'{"half": ', headers={"x-death": [death]})
    keep(b"never sent")
    asked = document("dlq", "retry", "1", "2")
    assert [(one["execution_id"], one["is_new"]) for one in asked["retried"]] == [(None, True)]
    assert "does not say where it was sent" in asked["not_retried"][0]["reason"]
    finish()
    assert [letter["id"] for letter in document("dlq", "list")["dead_letters"]] == [3, 2]
    assert spine("dlq", "show", "3", "--body").stdout_bytes == b'{"half": '


@pytest.mark.usefixtures("three")
def test_a_broker_is_not_asked_and_its_services_need_no_hint(spine, monkeypatch):
    monkeypatch.setenv("RABBITMQ_URL", "amqp://nobody:nothing@127.0.0.1:1/")
    said = spine("dlq", "retry-all", "--yes", "--rate", "0.5").stdout
    assert "3 ordered again." in said
    assert "the last 4 s from now" in said
    assert "worker" not in said


@pytest.fixture
def on_a_server(monkeypatch, postgres_url) -> None:
    """Let every command work on PostgreSQL."""
    monkeypatch.setenv("DATABASE_URL", postgres_url)


@pytest.mark.usefixtures("on_a_server")
def test_a_database_server_answers_the_same(document, order, finish, keep):
    failed = order("otc.ingest", file_path="no.csv", **WEEK)
    finish()
    keep(b"\x00\xff")
    groups = {group["code"]: group["count"] for group in document("dlq", "groups")["groups"]}
    assert groups == {"SOURCE_NOT_FOUND": 1, "MESSAGE_UNDECODABLE": 1}
    (retried,) = document("dlq", "retry", "1")["retried"]
    assert document("dlq", "retry", "1")["retried"] == [{**retried, "is_new": False}]
    (again,) = document("dlq", "retry", failed)["retried"]
    assert again == {**retried, "is_new": False}
    assert document("dlq", "discard", "2", "--reason", "noise")["discarded"]
    assert document("execution", "cancel", retried["execution_id"])["status"] == "cancelled"
    assert document("ledger", "replay", "--yes")["executions"] == 2
    assert document("ledger", "verify")["is_sound"] is True
