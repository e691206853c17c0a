"""`spine demo`: the whole job on made-up data, in one process and a folder of its own."""

import asyncio
import time
from typing import TYPE_CHECKING

import typer

from spine_cli.demonstration.folder import fresh_folder
from spine_cli.embedded import load_settings, quiet_settings, working
from spine_cli.invocation import quoted, shortest

if TYPE_CHECKING:
    from pathlib import Path

    from spine_common.bootstrap.settings import Settings


def demo() -> None:
    """Run the whole job on made-up weeks, in one process; nothing has to be installed.

    Everything is in `data/demo` and made anew each time.
    """
    folder = fresh_folder(load_settings().data_dir / "demo")
    settings = _settings(folder)
    asyncio.run(_demo(settings, _prefix(settings)))


def _settings(folder: "Path") -> "Settings":
    return quiet_settings(
        data_dir=folder,
        database_url=f"sqlite:///{folder / 'spine.db'}",
        rabbitmq_url=None,
        storage_type="local",
        storage_local_path=folder / "objects",
    )


def _prefix(settings: "Settings") -> str:
    """Return the variables that make a command work on the demo's data."""
    data = f"SPINE_DATA_DIR={quoted(settings.data_dir)}"
    # Where the environment names a database, the folder alone does not lead to the demo's.
    if load_settings(data_dir=settings.data_dir).database_url != settings.database_url:
        data += f" SPINE_DATABASE_URL=sqlite:///{quoted(settings.data_dir / 'spine.db')}"
    return data


async def _demo(settings: "Settings", prefix: str) -> None:
    from spine_cli.demonstration.job import do_job  # noqa: PLC0415 - heavy, with its neighbours
    from spine_cli.demonstration.publications import publish  # noqa: PLC0415 - heavy
    from spine_cli.demonstration.report import (  # noqa: PLC0415 - heavy
        print_report,
        print_whereabouts,
    )

    began = time.perf_counter()
    files = settings.data_dir / "files"
    publications = await asyncio.to_thread(publish, files)
    count, took = len(publications.files), time.perf_counter() - began
    typer.echo(f"{count} made-up files in {shortest(files)}, written in {took:.1f} s.")
    async with working(settings) as platform:
        work = await do_job(platform, publications)
        await print_report(platform, publications, work, prefix)
    print_whereabouts(settings, prefix)
