"""Who does what was ordered and waits."""

import typer

from spine_cli.embedded import load_settings
from spine_cli.invocation import spine


def print_who_does_it() -> None:
    """Say what to start where no broker brings orders to services, if nothing runs yet."""
    if load_settings().rabbitmq_url is None:
        typer.echo(f"      {spine('worker')}, or spine up, does it if none is running.")
