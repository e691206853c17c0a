"""The house is as its rules say: small files, one sentence a module, nothing of FINRA's inside."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("libs", "services", "cli")
    for path in (ROOT / folder).glob("**/src/**/*.py")
    if "versions" not in path.parts
)
MOST_LINES = 320


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_a_sentence_and_stays_small(path: Path) -> None:
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text)) or ""
    first = docstring.splitlines()[0] if docstring else ""
    assert first.endswith((".", "?")), f"{path} does not say what it answers"
    assert len(text.splitlines()) <= MOST_LINES, f"{path} is too long: split it by subject"


def test_every_service_has_the_same_rooms() -> None:
    for service in sorted((ROOT / "services").iterdir()):
        package = service / "src" / f"spine_{service.name}"
        assert (package / "app.py").is_file(), service
        readme = (service / "README.md").read_text()
        for word in ("consumes", "emits", "owns", "tunes"):
            assert f"| {word} |" in readme, f"{service.name}/README.md does not say what it {word}"


def test_the_reference_is_what_the_code_says() -> None:
    script = ROOT / "scripts" / "render_reference.py"
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_file_of_finra_is_in_the_project(finra_files: Path) -> None:
    lines = {
        line
        for path in finra_files.glob("*.csv")
        for line in path.read_bytes().splitlines()[1:400]
        if line
    }
    tracked = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - git is where a checkout is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in tracked.stdout.split("\n"):
        path = ROOT / name
        if path.is_file():
            shared = lines.intersection(path.read_bytes().splitlines())
            # One line is quoted in a document to show the format; a file of them is a copy.
            assert len(shared) < 3, f"{name} holds {len(shared)} lines of a FINRA file"
