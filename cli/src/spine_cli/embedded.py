"""Every service in this process, on the database, bus and store the settings name.

What is heavy to import is imported by who needs it: `spine --help` must not wait for it.
"""

import asyncio
import contextlib
import importlib
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from spine_cli.trouble import Trouble

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.bootstrap.service import Service
    from spine_common.bootstrap.settings import Settings

STAGES = ("ingestor", "normalizer", "aggregator")
WORKERS = (*STAGES, "dlq")
SERVICES = ("api", "scheduler", *WORKERS)

TROUBLE = Trouble()
_LET_OUT_SECONDS = 2.0
_QUIET = "spine_common.framework"
"""What the framework warns about, the progress view shows already."""


class _Stderr:
    """Whatever ``sys.stderr`` is at the moment: a live view replaces it to stay in one piece."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def load_service(name: str) -> "Service":
    """Return the declaration of one of ``SERVICES``."""
    service: Service = importlib.import_module(f"spine_{name}.app").SERVICE
    return service


def load_settings(**overrides: Any) -> "Settings":
    """Return the settings; ``InvalidSetting`` names every bad variable."""
    from spine_common.bootstrap.settings import Settings  # noqa: PLC0415 - heavy

    return Settings(**overrides)


def quiet_settings(**overrides: Any) -> "Settings":
    """Return the settings, with the log for a person: warnings, unless LOG_LEVEL asks for more."""
    import logging  # noqa: PLC0415 - with the next one

    from spine_common.observability.logs import configure_logging  # noqa: PLC0415 - heavy

    settings = load_settings(**overrides)
    asked = settings.model_fields_set
    configure_logging(
        "spine",
        level=settings.log_level if "log_level" in asked else "WARNING",
        log_format=settings.log_format if "log_format" in asked else "console",
        stream=cast("TextIO", _Stderr()),
    )
    logging.getLogger(_QUIET).setLevel(logging.NOTSET if "log_level" in asked else logging.ERROR)
    return settings


async def prepare_database(settings: "Settings") -> None:
    """Migrate a SQLite file, which is this program's own; a server's schema is its operator's."""
    from spine_common.bootstrap.migrate import migrate, status  # noqa: PLC0415 - heavy

    if settings.database_url.startswith("sqlite"):
        # A question must not wait for the lock of a load that is under way.
        current, needed = await status(settings.database_url)
        if current != needed:
            await migrate(settings.database_url)


@asynccontextmanager
async def opened(settings: "Settings", *, commands_here: bool = False) -> AsyncIterator["Platform"]:
    """Open the platform to ask and to order; nothing is run here.

    Raises ``SchemaMissing`` when a database server has not been migrated.
    """
    from spine_common.bootstrap.platform import open_platform  # noqa: PLC0415 - heavy

    await prepare_database(settings)
    async with open_platform(settings, "cli", commands_here=commands_here) as platform:
        await platform.database.check()
        yield platform


@asynccontextmanager
async def working(settings: "Settings") -> AsyncIterator["Platform"]:
    """Open the platform and run every stage in this process while the block runs.

    Commands are handled in this process even where the settings name a broker: what is ordered
    in the block is run here, on the configured database and store.
    """
    import stamina  # noqa: PLC0415 - with the next one

    from spine_common.bootstrap.consumers import start_consumers  # noqa: PLC0415 - heavy

    # In place of a log line for every try.
    stamina.instrumentation.set_on_retry_hooks([TROUBLE.heard])
    services = [load_service(name) for name in WORKERS]
    async with opened(settings, commands_here=True) as platform:
        await platform.bus.connect()
        await platform.store.check()
        await start_consumers(platform, services)
        async with _relaying(platform):
            yield platform
            if settings.rabbitmq_url is None:
                await _let_out(platform)


async def _let_out(platform: "Platform") -> None:
    """Give the last events a moment to leave the outbox; what is due later stays in it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LET_OUT_SECONDS):
            while True:
                async with platform.database.reading() as tx:
                    _, late = await tx.outbox.depth()
                if late <= 0:
                    return
                platform.relay.nudge()
                await asyncio.sleep(0.02)


@asynccontextmanager
async def _relaying(platform: "Platform") -> AsyncIterator[None]:
    """Relay while the block runs; a relay that dies ends the block, which would wait for ever."""
    block = asyncio.current_task()
    relaying = asyncio.create_task(platform.relay.run(), name="relay")

    def end_block(_: "asyncio.Task[None]") -> None:
        if block is not None:
            block.cancel("the relay has ended")

    relaying.add_done_callback(end_block)
    grace = platform.settings.shutdown_grace_seconds
    try:
        yield
    finally:
        relaying.remove_done_callback(end_block)
        await platform.bus.close(grace)
        await platform.relay.stop(grace)
        await relaying
