"""`spine worker`: every stage, dead letters and the relay in this process."""

import typer

from spine_cli.embedded import WORKERS
from spine_cli.options import Port
from spine_cli.serving import serve_here, service_settings

PORT = 8001
"""Where its health is, unless something says otherwise: the API's port is the API's."""

app = typer.Typer(help="Run every stage in this process, without the API and the scheduler.")


@app.callback(invoke_without_command=True)
def worker(ctx: typer.Context, *, port: Port = None) -> None:
    """Run every stage, dead letters and the relay in this process; health is on port 8001."""
    if ctx.invoked_subcommand is None:
        start(port=port)


@app.command()
def start(*, port: Port = None) -> None:
    """Do the same."""
    serve_here(WORKERS, service_settings(port, PORT))
