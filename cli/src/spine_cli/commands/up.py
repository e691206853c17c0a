"""`spine up`: the whole product in one process."""

import asyncio
from typing import TYPE_CHECKING

import typer

from spine_cli.commands.bus import declare_topology
from spine_cli.embedded import SERVICES, opened
from spine_cli.options import Port
from spine_cli.serving import serve_here, service_settings

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.bootstrap.settings import Settings


def up(*, port: Port = None) -> None:
    """Run the API, the scheduler, every stage and dead letters in this process.

    A SQLite database is migrated and a broker's topology declared first; a database server has
    to be migrated by `spine db migrate`.
    """
    settings = service_settings(port)
    if "log_format" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_format": "console"})
    asyncio.run(_prepare(settings))
    serve_here(SERVICES, settings, announce=_announce)


async def _prepare(settings: "Settings") -> None:
    async with opened(settings):
        pass
    if settings.rabbitmq_url is not None:
        await declare_topology(settings)


def _announce(platform: "Platform") -> None:
    shown = platform.settings.safe()
    address = f"http://{shown['http_host']}:{shown['http_port']}"
    typer.secho("Market Spine is up. Ctrl-C stops it.", bold=True)
    for name, value in (
        ("API", f"{address}/docs"),
        ("health", f"{address}/health/ready"),
        ("database", shown["database_url"]),
        ("bus", shown["rabbitmq_url"] or "in this process"),
        ("objects", shown["storage_local_path"]),
    ):
        typer.echo(f"  {name:<9} {value}")
