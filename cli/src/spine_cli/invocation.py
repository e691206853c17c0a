"""How the commands we suggest are spelled, so that they work when they are typed back."""

import shlex
import sys
from pathlib import Path


def spine(*arguments: str) -> str:
    """Return the command line of ``spine`` with arguments, from the current folder."""
    return " ".join([_program(), *arguments])


def quoted(path: Path) -> str:
    """Return a path for a command line, short if it lies beneath the current folder."""
    return shlex.quote(str(shortest(path)))


def shortest(path: Path) -> Path:
    """Return ``path`` relative to the current folder if it lies beneath it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _program() -> str:
    # Which program was typed can't be told under `uv run`, and a name on its PATH is not on ours.
    program = Path(sys.executable).parent / "spine"
    return quoted(program) if program.exists() else "spine"
