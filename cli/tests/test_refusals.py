"""What is typed wrong is told apart from what went wrong, never with a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from spine_cli.trouble import PATIENCE, Trouble
from spine_common.core.errors import DatabaseUnavailable


def spine_process(*words: str | bytes) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from spine_cli.main import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


@pytest.mark.parametrize(
    "words",
    [
        ("query", "venues", "--limit", "9" * 26),
        ("query", "venues", "--as-of", "0001-01-01T00:00:00+23:59"),
        ("query", "venues", "--as-of", "20261121"),
        ("query", "venues", "--as-of", "2026-W47"),
        ("query", "venues", "--capture-id", "x", "--as-of", "2026-11-21"),
    ],
)
def test_an_argument_that_can_not_be_is_a_2(spine, words):
    assert "Traceback" not in spine(*words, code=2).output


def test_bytes_that_are_no_text_are_a_2():
    done = spine_process("query", "venues", "--capture-id", b"\xff\xfe")
    assert done.returncode == 2
    assert "UTF-8" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_none_is_told_in_a_sentence(spine):
    Path("data").mkdir()
    Path("data/spine.db").write_bytes(b"no database at all, but long enough to be read as one" * 9)
    said = spine("query", "weeks", code=1)
    assert "not a database" in said.stderr


def test_a_capture_of_another_tier_is_a_contradiction(spine, weekly_file):
    spine("run", "finra.otc_transparency.process_week", "--file", str(weekly_file))
    capture = next(Path("data/objects/normalized").iterdir()).name.rsplit(".", 2)[0]
    said = spine("query", "venues", "--capture-id", capture, "--tier", "T1", code=2)
    assert "NMS_TIER_1" in said.stderr


class _Failed:
    caused_by = DatabaseUnavailable("database or disk is full")


def test_trouble_that_lasts_is_told_and_trouble_that_passes_is_not(monkeypatch):
    now = 100.0
    monkeypatch.setattr("spine_cli.trouble.time.monotonic", lambda: now)
    trouble = Trouble()
    for _ in range(int(PATIENCE)):
        now += 1.0
        trouble.heard(_Failed())
        trouble.check()
    now += 2.0
    trouble.heard(_Failed())
    with pytest.raises(DatabaseUnavailable, match="disk is full"):
        trouble.check()
    now += 60.0
    trouble.check()
    trouble.heard(_Failed())
    trouble.check()


COMMAND = [sys.executable, "-c", "from spine_cli.main import main; main()"]


def no_space(*words: str) -> subprocess.CompletedProcess[str]:
    with Path("/dev/full").open("w") as full:
        return subprocess.run(  # noqa: S603 - our own program
            [*COMMAND, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.mark.parametrize(
    "words",
    [
        ("dlq", "list"),
        ("dlq", "list", "--json"),
        ("dlq", "show", "1"),
        ("dlq", "show", "1", "--body"),
        ("dlq", "show", "1", "--json"),
        ("dlq", "show", "99", "--json"),
        ("query", "weeks", "--format", "csv"),
        ("--help",),
    ],
)
def test_a_full_disk_behind_the_output_is_told_in_a_sentence(keep, words):
    keep(b"x" * 70_000)
    done = no_space(*words)
    assert done.returncode == 1
    assert done.stderr.startswith("OUTPUT_FAILED: The output can't be written: No space left")
    assert len(done.stderr.splitlines()) == 2


def test_who_reads_no_further_ends_the_command_quietly(keep, monkeypatch):
    # Unbuffered, Python does not hear that a part was not taken.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    keep(b"x" * 700_000)
    with subprocess.Popen(  # noqa: S603 - our own program
        [*COMMAND, "dlq", "show", "1", "--body"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 1


def test_without_a_stdout_nothing_is_said_and_the_work_is_done():
    done = subprocess.run(  # noqa: S603 - our own program
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "dlq", "list", "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
