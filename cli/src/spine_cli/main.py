"""The `spine` command: which commands there are, each in a file of its own."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from spine_cli.commands import (
    bus,
    db,
    demo,
    dlq,
    execution,
    ledger,
    pipeline,
    query,
    run,
    scheduler,
    service,
    submit,
    up,
    worker,
)
from spine_cli.errors import FAILED, USAGE, SpineGroup, complain

app = typer.Typer(
    name="spine",
    cls=SpineGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:  # noqa: FBT001 - Typer's signature
    if value:
        from importlib.metadata import version  # noqa: PLC0415 - heavy

        typer.echo(f"spine {version('spine-cli')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
]


@app.callback()
def spine(*, version: Version = False) -> None:
    """FINRA's off-exchange volume: captured once, never overwritten, answerable as of any day.

    New here? Try `spine demo`. Exit codes: 0 done, 1 failed, 2 not understood.
    """


app.command()(demo.demo)
app.command()(up.up)
app.command()(run.run)
app.command()(submit.submit)
app.add_typer(query.app, name="query")
app.add_typer(pipeline.app, name="pipeline")
app.add_typer(execution.app, name="execution")
app.add_typer(dlq.app, name="dlq")
app.add_typer(ledger.app, name="ledger")
app.add_typer(db.app, name="db")
app.add_typer(bus.app, name="bus")
app.add_typer(service.app, name="service")
app.add_typer(worker.app, name="worker")
app.command()(service.serve)
app.command()(scheduler.scheduler)

# Other names of the same.
app.command("list", hidden=True)(pipeline.list_pipelines)
app.command("dispatch", hidden=True)(submit.submit)
app.add_typer(scheduler.beat, name="beat", hidden=True)


def main() -> None:
    """Run what was typed."""
    for argument in sys.argv[1:]:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            complain("USAGE", f"{argument!a} is no UTF-8 text.", "Type it in UTF-8.")
            sys.exit(USAGE)
    if sys.stdout is None:
        # Else the next file opened, the database even, would be what others take for stdout.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Who reads has enough; that is no failure to speak of.
        _write_nowhere()
        sys.exit(FAILED)
    except OSError as error:
        _write_nowhere()
        said = f"The output can't be written: {error.strerror or error}."
        complain("OUTPUT_FAILED", said, "What the command did is done. See where its output goes.")
        sys.exit(FAILED)


def _write_nowhere() -> None:
    """Let Python write what is left once more when it ends, without complaining once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
