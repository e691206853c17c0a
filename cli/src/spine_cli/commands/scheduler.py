"""`spine scheduler`: what orders by the clock."""

import typer

from spine_cli.options import Port
from spine_cli.serving import serve_here, service_settings

PORT = 8002
"""Where its health is, unless something says otherwise: the API's port is the API's."""

beat = typer.Typer(help="Another name of `spine scheduler`.", no_args_is_help=True)


@beat.callback()
def _beat() -> None:
    """Run the scheduler in this process."""


@beat.command("start")
def scheduler(*, port: Port = None) -> None:
    """Run the scheduler in this process; health is on port 8002."""
    serve_here(["scheduler"], service_settings(port, PORT))
