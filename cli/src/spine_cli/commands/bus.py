"""`spine bus`: what the broker has to know before a message can travel."""

import asyncio
from typing import TYPE_CHECKING

import typer

from spine_cli.embedded import quiet_settings
from spine_cli.options import Json
from spine_cli.render import print_json

if TYPE_CHECKING:
    from spine_common.bootstrap.settings import Settings

app = typer.Typer(help="Declare exchanges and queues.", no_args_is_help=True)


@app.callback()
def bus() -> None:
    """Declare exchanges, queues, bindings and policies on the broker."""


@app.command()
def declare(*, json: Json = False) -> None:
    """Declare exchanges, queues, bindings and policies; again is no harm."""
    settings = quiet_settings()
    asyncio.run(declare_topology(settings))
    broker = settings.safe()["rabbitmq_url"]
    if json:
        print_json({"broker": broker, "declared": broker is not None})
    elif broker is None:
        typer.echo("The bus is the one in this process: nothing needs declaring.")
    else:
        typer.echo(f"{broker} has every exchange, queue and binding.")


async def declare_topology(settings: "Settings") -> None:
    """Connect, declare, disconnect; ``BusUnavailable`` when the broker does not answer."""
    from spine_common.bootstrap.platform import open_bus  # noqa: PLC0415 - heavy

    bus = open_bus(settings)
    try:
        await bus.connect()
        await bus.declare()
    finally:
        await bus.close(settings.shutdown_grace_seconds)
