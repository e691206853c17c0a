"""`spine db`: the database's schema, brought up to date, looked at, dropped."""

import asyncio
import sys
from typing import Annotated, Any

import typer

from spine_cli.embedded import quiet_settings
from spine_cli.errors import FAILED
from spine_cli.invocation import spine
from spine_cli.options import Json
from spine_cli.render import print_json

app = typer.Typer(
    help="Migrate the database, show its revision, drop everything.", no_args_is_help=True
)
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("init", help="The same as migrate.")
@app.command()
def migrate(*, json: Json = False) -> None:
    """Bring the database to this release's revision; nothing is lost, again is no harm."""
    from spine_common.bootstrap import migrate as schema  # noqa: PLC0415 - heavy

    settings = quiet_settings()
    revision = asyncio.run(schema.migrate(settings.database_url))
    shown = settings.safe()["database_url"]
    _tell(f"{shown} is at revision {revision}.", {"database": shown, "revision": revision}, json)


@app.command()
def reset(*, yes: Yes = False, json: Json = False) -> None:
    """Drop every table, data included, and migrate afresh; the object store stays as it is."""
    from spine_common.bootstrap import migrate as schema  # noqa: PLC0415 - heavy

    settings = quiet_settings()
    shown = settings.safe()["database_url"]
    # A script that says `spine db reset` means it; a person may have typed it by mistake.
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Drop everything in {shown}?", abort=True, err=True)
    revision = asyncio.run(schema.reset(settings.database_url))
    said = f"{shown} was emptied and is at revision {revision}."
    _tell(said, {"database": shown, "revision": revision}, json)


@app.command()
def grant(
    role: Annotated[str, typer.Argument(help="A PostgreSQL role that exists.")],
    *,
    json: Json = False,
) -> None:
    """Let a role do what the services do, and no more: it can append to the ledger, not change it.

    Run it as the tables' owner, and again after a migration.
    """
    from spine_common.bootstrap import migrate as schema  # noqa: PLC0415 - heavy

    settings = quiet_settings()
    asyncio.run(schema.grant(settings.database_url, role))
    shown = settings.safe()["database_url"]
    _tell(f"{role} may work on {shown}.", {"database": shown, "role": role}, json)


@app.command()
def status(*, json: Json = False) -> None:
    """Show the database's revision and the one this release needs; exit code 1 if they differ."""
    from spine_common.bootstrap import migrate as schema  # noqa: PLC0415 - heavy

    settings = quiet_settings()
    shown = settings.safe()["database_url"]
    current, needed = asyncio.run(schema.status(settings.database_url))
    is_current = current == needed
    said = f"{shown} is at revision {current or 'none'}"
    said += ", as it should be." if is_current else f"; this release needs {needed}."
    document = {"database": shown, "revision": current, "needs": needed, "is_current": is_current}
    _tell(said, document, json)
    if not is_current:
        typer.echo(f"Run {spine('db', 'migrate')}", err=True)
        raise typer.Exit(FAILED)


def _tell(said: str, document: Any, json: bool) -> None:  # noqa: FBT001 - the last word decides
    if json:
        print_json(document)
    else:
        typer.echo(said)
