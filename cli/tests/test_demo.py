"""`spine demo`: the whole job, and that what it tells people to type works as printed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path


def test_the_demo_shows_the_whole_job_and_its_commands_work(spine):
    printed = spine("demo").stdout
    for expected in ("venue share", "%", "blank_symbol", "restatement", "rows/s", "data/demo"):
        assert expected in printed
    commands = [line.strip() for line in printed.splitlines() if "query weeks" in line]
    (command,) = commands
    shown = subprocess.run(  # noqa: S602 - it is to be typed into a shell
        command, shell=True, capture_output=True, text=True, check=True, env=_plain_environment()
    ).stdout
    assert shown.count("ready") == 8
    assert shown.count("not right") == 1
    variable, _, *words = shlex.split(command)
    environment = {"SPINE_DATA_DIR": variable.partition("=")[2]}
    assert words == ["query", "weeks"]
    captures = spine("query", "captures", "--tier", "OTC", env=environment).stdout
    assert captures.count("otc_transparency.2025-11-21.OTC") == 2
    executions = spine("execution", "list", "--status", "skipped", env=environment).stdout
    assert "2025-11-07 NMS_TIER_1" in executions
    assert list(Path("data/demo/objects/normalized").glob("*.parquet"))


def test_a_folder_the_demo_did_not_make_is_left_alone(spine):
    mine = Path("data/demo/mine.txt")
    mine.parent.mkdir(parents=True)
    mine.write_text("keep", encoding="utf-8")
    assert "DEMO_FOLDER_TAKEN" in spine("demo", code=1).stderr
    assert mine.read_text(encoding="utf-8") == "keep"


def _plain_environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
