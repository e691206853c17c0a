"""`spine service`: one service of the product in this process, until it is told to stop."""

from typing import Annotated

import typer

from spine_cli.embedded import SERVICES, WORKERS
from spine_cli.errors import BrokerNeeded
from spine_cli.invocation import spine
from spine_cli.options import Port
from spine_cli.serving import serve_here, service_settings
from spine_common.core.errors import InvalidParams, MissingRequired

app = typer.Typer(help="Run one service in this process.", no_args_is_help=True)

_NAMES = ", ".join(SERVICES)
Name = Annotated[str | None, typer.Argument(metavar="NAME", help=f"One of {_NAMES}.")]


@app.callback()
def service() -> None:
    """Run one service in this process, as the deployments do."""


@app.command()
def run(name: Name = None, *, port: Port = None) -> None:
    """Run a service until SIGTERM or SIGINT."""
    if name is None:
        raise MissingRequired("Which service?", remedy=f"One of {_NAMES}.")
    if name not in SERVICES:
        raise InvalidParams(f"There is no service {name!r}.", remedy=f"One of {_NAMES}.")
    settings = service_settings(port)
    if name in WORKERS and settings.rabbitmq_url is None:
        raise BrokerNeeded(
            f"The {name} alone has nobody to work with on the bus in process.",
            remedy=f"Set RABBITMQ_URL, or run every stage together: {spine('worker')}",
        )
    serve_here([name], settings)


def serve(*, port: Port = None) -> None:
    """Run the API. Without a broker, `spine worker` or `spine up` does what is ordered."""
    serve_here(["api"], service_settings(port))
