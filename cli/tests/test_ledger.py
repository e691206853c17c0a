"""`spine execution cancel` and `spine ledger`: an end on a word, and the books looked through."""

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from spine_cli.embedded import opened, quiet_settings
from spine_common.core.execution import EventType
from spine_common.core.ids import ExecutionId

WORKFLOW = "finra.otc_transparency.process_week"


def test_an_order_and_its_children_are_cancelled(spine, document, weekly_file):
    words = ("submit", WORKFLOW, "--file", str(weekly_file), "--week", "2025-11-14")
    ordered = document(*words)
    said = spine("execution", "cancel", ordered["id"], "--reason", "the wrong week").stdout
    assert said.splitlines()[0].startswith(f"cancelled  {WORKFLOW}")
    assert "1 cancelled" in said
    shown = document("execution", "show", ordered["id"])
    assert shown["events"][-1]["payload"] == {"reason": "the wrong week"}
    assert [child["status"] for child in shown["children"]] == ["cancelled"]
    with closing(sqlite3.connect("data/spine.db")) as database:
        assert database.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


def test_cancelling_twice_is_once(document):
    ordered = document("submit", "example.hello")
    first = document("execution", "cancel", ordered["id"])
    assert document("execution", "cancel", ordered["id"]) == first
    assert len(document("execution", "show", ordered["id"])["events"]) == 2


def test_what_has_ended_can_not_be_cancelled(spine, document):
    ran = document("run", "example.hello")
    said = spine("execution", "cancel", ran["id"], code=1).stderr
    assert "NOT_CANCELLABLE" in said
    assert "is completed already" in said
    assert document("execution", "cancel", "no", code=1)["error"]["code"] == "EXECUTION_NOT_FOUND"


def tamper(statement: str, *values: str) -> None:
    """Change the stored ledger past everything that keeps it."""
    with closing(sqlite3.connect("data/spine.db")) as database, database:
        database.execute(statement, values)


def test_a_sound_ledger_is_said_to_be(spine, document):
    spine("run", "example.hello")
    assert "1 execution, 3 events: they tell one story." in spine("ledger", "verify").stdout
    sound = {"executions": 1, "events": 3, "is_sound": True, "violations": []}
    assert document("ledger", "verify") == sound


@pytest.mark.breaks_ledger
def test_a_row_that_is_not_as_its_events_tell_is_found_and_rebuilt(spine, document):
    ran = document("run", "example.hello")
    tamper("UPDATE executions SET status = 'failed'")
    (violation,) = document("ledger", "verify", code=1)["violations"]
    assert (violation["execution_id"], violation["rule"]) == (ran["id"], "projection")
    text = spine("ledger", "verify", code=1).stdout
    assert "1 violation." in text
    assert "ledger replay" in text

    assert document("ledger", "replay", "--yes")["changed"] == [ran["id"]]
    assert document("execution", "show", ran["id"])["status"] == "completed"
    assert "0 of them had been stored otherwise" in spine("ledger", "replay", "--yes").stdout


@pytest.mark.breaks_ledger
def test_where_nobody_can_be_asked_a_replay_wants_yes(document):
    ran = document("run", "example.hello")
    tamper("UPDATE executions SET status = 'failed'")

    refused = document("ledger", "replay", code=2)["error"]

    assert (refused["code"], refused["remedy"]) == ("MISSING_REQUIRED", "Add --yes.")
    assert document("execution", "show", ran["id"])["status"] == "failed"


@pytest.mark.breaks_ledger
def test_lost_events_are_to_be_restored_or_given_up_on_purpose(spine, document):
    ran = document("run", "example.hello")
    gone = document("submit", "example.hello", "-p", "name=gone")
    tamper("DELETE FROM execution_events WHERE type = 'completed'")
    tamper("DELETE FROM execution_events WHERE execution_id = ?", gone["id"])

    told = spine("ledger", "verify", code=1).stdout
    assert "Next: restore the events from a backup" in told
    assert "ledger replay" not in told
    refused = document("ledger", "replay", "--yes", code=1)["error"]
    assert refused["code"] == "LEDGER_CORRUPT"
    assert "spine ledger replay --accept-loss" in refused["remedy"]
    assert document("execution", "show", ran["id"])["status"] == "completed"

    said = spine("ledger", "replay", "--accept-loss", "--yes").stdout
    assert "1 execution removed that no event tells of." in said
    given_up = said.partition("given up")[2]
    assert ran["id"] in given_up
    assert gone["id"] in given_up
    assert document("execution", "show", ran["id"])["status"] == "running"
    assert document("ledger", "verify")["is_sound"]


@pytest.mark.breaks_ledger
def test_what_can_not_be_read_is_a_finding_and_no_accident(spine, document):
    ran = document("run", "example.hello")
    tamper("UPDATE executions SET status = 'nonsense', completed_at = 'yesterday'")
    (violation,) = document("ledger", "verify", code=1)["violations"]
    assert violation["rule"] == "projection"

    spine("ledger", "replay", "--yes")

    assert document("execution", "show", ran["id"])["status"] == "completed"


@pytest.mark.breaks_ledger
def test_many_violations_are_counted_and_fifty_are_shown(spine):
    for number in range(52):
        spine("submit", "example.hello", "-p", f"name={number}")
    tamper("UPDATE executions SET attempt = 9")
    text = spine("ledger", "verify", code=1).stdout
    assert "52 violations" in text
    assert text.count("projection") == 50
    assert "50 of 52; --json prints them all." in text


@pytest.mark.breaks_ledger
def test_events_that_tell_nothing_are_not_replayed(document):
    ran = document("run", "example.hello")
    tamper("DELETE FROM execution_events WHERE seq = 2")
    assert document("ledger", "replay", "--yes", code=1)["error"]["code"] == "LEDGER_CORRUPT"
    assert document("execution", "show", ran["id"])["status"] == "completed"


async def orphan() -> str:
    """Leave a child behind that nobody works at: its parent was cancelled, its command is gone."""
    async with opened(quiet_settings()) as platform:
        parent = await platform.dispatcher.submit(WORKFLOW, {"file_path": "no.csv"})
        async with platform.database.transaction() as tx:
            (child,) = await tx.ledger.children(parent.execution_id)
            await tx.outbox.withdraw(child.execution_id)
            locked = await tx.ledger.lock(parent.execution_id)
            assert locked is not None
            await tx.ledger.record(locked.execution, EventType.CANCELLED)
        return ExecutionId(child.execution_id)


@pytest.mark.parametrize("words", [("up",), ("scheduler",), ("service", "run", "scheduler")])
def test_whoever_schedules_sweeps(document, start, words):
    child = asyncio.run(orphan())
    service = start(*words, "--port", "0")
    deadline = time.monotonic() + 20
    while document("execution", "show", child)["status"] != "cancelled":
        assert time.monotonic() < deadline, service.interrupt()
        time.sleep(0.1)
    code, output = service.interrupt()
    assert code == 0, output
