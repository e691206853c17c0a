"""`spine dlq retry` and `discard` by filter: what is said is true, whatever could not be done."""

import sqlite3
from contextlib import closing

import pytest

WEEK = {"week_ending": "2025-11-14", "tier": "OTC"}


@pytest.fixture
def poison_first(keep, order, finish) -> None:
    """Let three letters that can't be sent again be older than three that can."""
    for number in range(3):
        keep(b"never sent", message_id=str(number))
    for number in range(3):
        order("otc.ingest", file_path=f"no-{number}.csv", **WEEK)
    finish()


def refuse(letter: int, complaint: str) -> None:
    """Let the database refuse to change one letter from now on."""
    with closing(sqlite3.connect("data/spine.db")) as database:
        database.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON dead_letters"
            f" WHEN NEW.dead_letter_id = {letter} BEGIN SELECT RAISE(ABORT, '{complaint}'); END"
        )


@pytest.mark.usefixtures("poison_first")
def test_letters_that_can_not_be_retried_keep_no_others_from_it(spine, document):
    first = document("dlq", "retry-all", "--limit", "2", "--yes")
    assert [one["dead_letter_id"] for one in first["retried"]] == [4, 5]
    assert [one["dead_letter_id"] for one in first["not_retried"]] == [1, 2, 3]
    assert first["still_waiting"] == 4
    second = spine("dlq", "retry-all", "--limit", "2", "--yes").stdout
    assert "1 ordered again, 3 refused." in second
    assert "3 wait still: nothing but what was refused." in second
    assert "the same command" not in second


@pytest.mark.usefixtures("poison_first")
def test_what_waits_behind_a_limit_is_told(spine):
    said = spine("dlq", "retry-all", "--rate", "2", "--limit", "2", "--yes").stdout
    assert "2 ordered again, 3 refused." in said
    assert "the last 0 s from now" in said
    assert "4 wait still, the 3 refused among them; the same command takes the next" in said


@pytest.mark.usefixtures("poison_first")
def test_where_nothing_is_ordered_nothing_is_due(spine):
    words = ("dlq", "retry", "--code", "MESSAGE_UNDECODABLE", "--rate", "50", "--limit", "1")
    for _ in range(2):
        said = spine(*words, code=1).stdout
        assert "3 refused." in said
        assert "3 wait still: nothing but what was refused." in said
        assert "due" not in said
        assert "the same command" not in said


@pytest.mark.usefixtures("poison_first")
def test_without_refusals_the_rest_is_told_plainly(spine):
    said = spine("dlq", "retry", "--pipeline", "otc.ingest", "--limit", "2").stdout
    assert "1 wait still; the same command takes the next of them." in said


WAYS = [
    ("retried", ("retry", "--pipeline", "otc.ingest")),
    ("retried", ("retry", "4", "5", "6")),
    ("discarded", ("discard", "--pipeline", "otc.ingest", "--reason", "x", "--yes")),
    ("discarded", ("discard", "4", "5", "6", "--reason", "x")),
]


@pytest.mark.usefixtures("poison_first")
@pytest.mark.parametrize(("word", "words"), WAYS)
def test_a_database_that_goes_away_half_way_hides_nothing_that_was_done(
    spine, document, word, words
):
    refuse(5, "database is locked")
    told = document("dlq", *words, code=1)
    assert [one["dead_letter_id"] for one in told[word]] == [4]
    assert told["error"]["code"] == "DATABASE_UNAVAILABLE"
    assert "again it goes on" in told["error"]["remedy"]
    shown = spine("dlq", *(word for word in words if word != "4"), code=1)
    assert "DATABASE_UNAVAILABLE" in shown.stderr


@pytest.mark.usefixtures("poison_first")
def test_what_was_done_before_the_database_went_away_is_said_to_a_person(spine):
    refuse(5, "database is locked")
    said = spine("dlq", "retry", "--pipeline", "otc.ingest", code=1)
    assert "1 ordered again." in said.stdout
    assert "DATABASE_UNAVAILABLE" in said.stderr
    assert "goes on" in said.stderr


@pytest.mark.usefixtures("poison_first")
@pytest.mark.parametrize(("word", "words"), WAYS)
def test_one_letter_that_fails_for_itself_stops_no_other(document, word, words):
    refuse(5, "no such table: x")
    told = document("dlq", *words)
    assert [one["dead_letter_id"] for one in told[word]] == [4, 6]
    assert [one["dead_letter_id"] for one in told[f"not_{word}"]] == [5]
