"""Services in this process until a signal stops it."""

import asyncio
import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from spine_cli.embedded import load_service, load_settings, prepare_database
from spine_cli.errors import PortTaken

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.bootstrap.settings import Settings


def service_settings(port: int | None, fallback: int | None = None) -> "Settings":
    """Return the settings with the port asked for.

    ``fallback`` is the port where nothing says one, for what usually runs beside the API.
    """
    settings = load_settings() if port is None else load_settings(http_port=port)
    if fallback is None or "http_port" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"http_port": fallback})


def serve_here(
    names: Sequence[str],
    settings: "Settings",
    announce: "Callable[[Platform], None] | None" = None,
) -> None:
    """Run the named services until SIGTERM or SIGINT; ``PortTaken`` when they can't listen."""
    from spine_common.bootstrap.worker import serve  # noqa: PLC0415 - heavy

    asyncio.run(prepare_database(settings))
    try:
        serve(*map(load_service, names), settings=settings, announce=announce)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
            raise
        raise PortTaken(
            f"Nothing can listen on {settings.http_host} port {settings.http_port}:"
            f" {error.strerror}.",
            remedy="Choose another with --port.",
        ) from error
