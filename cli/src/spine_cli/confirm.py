"""Whether a person means it: asked at a terminal, said by ``--yes`` elsewhere."""

import sys
from typing import Annotated

import typer

from spine_common.core.errors import MissingRequired

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def ask(question: str) -> None:
    """Ask if there is a terminal to ask at; a no ends the command with exit code 1."""
    if sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)


def ask_or_refuse(question: str) -> None:
    """Ask; ``MissingRequired`` where nobody can be asked."""
    if not sys.stdin.isatty():
        raise MissingRequired(f"{question} Nobody is there to ask.", remedy="Add --yes.")
    ask(question)
