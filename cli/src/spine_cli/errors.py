"""What a failure means for who typed the command: an exit code, and words to go on with."""

import sys
from typing import Any

import orjson
import typer
from typer.core import TyperGroup

from spine_common.core.errors import (
    CalcNotFound,
    DomainNotFound,
    InvalidParams,
    PipelineNotFound,
    SourceError,
    SpineError,
)
from spine_common.observability.redaction import hide_credentials

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

WANTS_JSON = "spine.json"
"""Where a context remembers that one JSON document was asked for."""


class PortTaken(SpineError):
    """Another process listens on the port."""

    code = "PORT_TAKEN"


class DemoFolderTaken(SpineError):
    """The demo's folder holds something the demo did not make."""

    code = "DEMO_FOLDER_TAKEN"


class BrokerNeeded(SpineError):
    """A stage alone in its process has nobody to talk to on the bus in process."""

    code = "BROKER_NEEDED"


# A failed stage is a fact in the ledger, never raised here: of these, what was typed is the cause.
_TYPED_WRONG = (
    InvalidParams,
    PipelineNotFound,
    DomainNotFound,
    CalcNotFound,
    SourceError,
    BrokerNeeded,
)
_TYPED_WRONG_CODES = frozenset({"SETTING_INVALID"})


def exit_code(error: SpineError) -> int:
    """Return 2 when what was typed or set can't work, 1 for everything else."""
    if isinstance(error, _TYPED_WRONG) or error.code in _TYPED_WRONG_CODES:
        return USAGE
    return FAILED


def as_document(error: SpineError) -> dict[str, Any]:
    """Return the error as the API words it."""
    message, remedy = hide_credentials(error.message), error.remedy
    said = {"code": error.code, "message": message, "remedy": remedy}
    return {"error": {**said, "details": dict(error.details)}}


def complain(code: str, message: str, remedy: str = "") -> None:
    """Say on stderr what went wrong and what would be right."""
    typer.secho(f"{code}: ", fg="red", bold=True, err=True, nl=False)
    typer.echo(hide_credentials(message), err=True)
    if remedy:
        typer.echo(remedy, err=True)


class SpineGroup(TyperGroup):
    """The root of all commands: the one place where errors become exit codes."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; ``spine run run NAME`` is the same as ``spine run NAME``."""
        return super().resolve_command(ctx, args[1:] if args[:2] == ["run", "run"] else args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command and turn its errors into what the shell and a person understand."""
        try:
            return super().invoke(ctx)
        except SpineError as error:
            if ctx.meta.get(WANTS_JSON):
                document = orjson.dumps(as_document(error), default=str)
                sys.stdout.write(document.decode() + "\n")
            else:
                complain(error.code, error.message, error.remedy)
            raise typer.Exit(exit_code(error)) from error
        except KeyboardInterrupt:
            complain(
                "STOPPED", "Interrupted.", "What was ordered stays recorded and goes on later."
            )
            raise typer.Exit(INTERRUPTED) from None
