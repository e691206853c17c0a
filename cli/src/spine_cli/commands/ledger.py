"""`spine ledger`: whether the events tell one story, and the executions rebuilt from them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from spine_cli.confirm import Yes, ask_or_refuse
from spine_cli.embedded import opened, quiet_settings
from spine_cli.errors import FAILED
from spine_cli.invocation import spine
from spine_cli.options import Json
from spine_cli.render import Field, counted, print_json, print_table

if TYPE_CHECKING:
    from spine_common.framework.audit import Audited, Replayed

app = typer.Typer(help="Verify the ledger, rebuild executions from it.", no_args_is_help=True)

_MOST = 50
_FIELDS = [
    Field("execution_id", "execution"),
    Field("rule", "rule"),
    Field("detail", "what is wrong"),
]
_DAMAGED = {"sequence", "terminal", "fold", "lost"}
AcceptLoss = Annotated[
    bool,
    typer.Option(
        "--accept-loss", help="Where events are lost, go back to those left; no way leads back."
    ),
]


@app.command()
def verify(*, json: Json = False) -> None:
    """Read every event and compare it with what is stored; exit code 1 if anything is wrong.

    Nothing is written and nobody has to wait.
    """
    audited = asyncio.run(_verify())
    violations = [asdict(one) for one in audited.violations]
    if json:
        read = {"executions": audited.executions, "events": audited.events}
        print_json({**read, "is_sound": not violations, "violations": violations})
    else:
        found = counted(len(violations), "violation") if violations else "they tell one story"
        typer.echo(f"{_extent(audited)}: {found}.")
        _print_violations(violations)
    if violations:
        raise typer.Exit(FAILED)


def _print_violations(violations: list[dict[str, Any]]) -> None:
    _print_some("", _FIELDS, violations)
    rules = {one["rule"] for one in violations}
    if rules & _DAMAGED:
        typer.echo("Next: restore the events from a backup; nothing can be rebuilt before.")
    elif "projection" in rules:
        typer.echo(f"Next: {spine('ledger', 'replay')}  stores executions as their events tell.")


@app.command()
def replay(*, accept_loss: AcceptLoss = False, yes: Yes = False, json: Json = False) -> None:
    """Drop every stored execution and rebuild it from its events; all of it, or nothing.

    Orders and workers wait meanwhile: the ledger is locked.
    """
    if not yes:
        losing = ", and give up what lost ones told" if accept_loss else ""
        ask_or_refuse(
            f"Rebuild every execution from its events{losing}? The ledger is locked meanwhile."
        )
    replayed = asyncio.run(_replay(accept_loss=accept_loss))
    if json:
        print_json(asdict(replayed))
        return
    changed = [{"execution_id": one} for one in replayed.changed]
    typer.echo(f"{_extent(replayed)}: rebuilt.")
    typer.echo(f"{len(changed):,} of them had been stored otherwise.")
    if replayed.removed:
        typer.echo(f"{counted(replayed.removed, 'execution')} removed that no event tells of.")
    _print_some("stored otherwise", _FIELDS[:1], changed)
    _print_some("given up", _FIELDS[::2], [asdict(one) for one in replayed.given_up])


def _print_some(title: str, fields: list[Field], rows: list[dict[str, Any]]) -> None:
    if rows:
        print_table(title, fields, rows[:_MOST])
    if len(rows) > _MOST:
        typer.echo(f"{_MOST} of {len(rows):,}; --json prints them all.")


def _extent(read: "Audited | Replayed") -> str:
    return f"{counted(read.executions, 'execution')}, {counted(read.events, 'event')}"


async def _verify() -> "Audited":
    from spine_common.framework.audit import verify as audit  # noqa: PLC0415 - heavy

    async with opened(quiet_settings()) as platform:
        with _counting("read") as progress:
            return await audit(platform.database, progress)


async def _replay(*, accept_loss: bool) -> "Replayed":
    from spine_common.framework.audit import replay as rebuild  # noqa: PLC0415 - heavy

    async with opened(quiet_settings()) as platform:
        with _counting("rebuilt") as progress:
            return await rebuild(platform.database, progress, accept_loss=accept_loss)


@contextmanager
def _counting(done: str) -> Iterator[Callable[[int], None]]:
    """Yield what counts executions on stderr if that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status(f"0 executions {done}") as status:
        yield lambda count: status.update(f"{count:,} executions {done}")
