"""Private servers for a developer's shell: ``python -m spine_common.testing.servers``.

Starts RabbitMQ and PostgreSQL, prints how to reach them as ``export`` lines and writes the same
lines to ``.servers/env``; stays until Ctrl-C, or with ``--detach`` until ``--stop``.
"""

import argparse
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit, urlunsplit

from spine_common.testing.servers.discover import private_postgres, private_rabbit
from spine_common.testing.servers.errors import ServerUnavailable
from spine_common.testing.servers.household import Household, end_all
from spine_common.testing.servers.postgres import PostgresServer
from spine_common.testing.servers.rabbitmq import RabbitServer

_HERE = Path(".servers")
_ENV, _HOUSEHOLD = _HERE / "env", _HERE / "household"
_NAME = "spine"
_LOOK_EVERY_S = 1.0


class Interrupted(Exception):
    """Somebody asked us to end."""


def main(arguments: list[str] | None = None) -> int:
    """Start the servers, or stop detached ones; the exit code is 0 when that worked."""
    parser = argparse.ArgumentParser(prog="servers", description="Private RabbitMQ and PostgreSQL.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--detach", action="store_true", help="leave them running")
    which.add_argument("--stop", action="store_true", help="end detached ones")
    chosen = parser.parse_args(arguments)
    if chosen.stop:
        return _stop()
    if _HOUSEHOLD.exists() and Path(_HOUSEHOLD.read_text()).exists():
        return _failed("Servers are running already; end them with --stop.")
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    try:
        return _detach() if chosen.detach else _stay()
    except Interrupted:
        return 0
    except ServerUnavailable as reason:
        return _failed(str(reason))


def _detach() -> int:
    household = Household.detached()
    try:
        _start(household)
        _HOUSEHOLD.write_text(str(household.path))
    except BaseException:
        _leave(household)
        raise
    _say("Running. End them with --stop.")
    return 0


def _stay() -> int:
    servers: tuple[PostgresServer | RabbitServer, ...] = ()
    with Household.opened() as household:
        try:
            servers = _start(household)
            _say("Running. Ctrl-C ends them.")
            while not threading.Event().wait(_LOOK_EVERY_S):
                for server in servers:
                    if not server.control.running():
                        return _failed(f"A server ended by itself.\n{server.control.log()}")
        except Interrupted:
            _say("Stopping.")
            for server in servers:
                server.stop()
        finally:
            _leave(household)
    return 0


def _stop() -> int:
    if not _HOUSEHOLD.exists():
        return _failed("No detached servers here.")
    end_all(Path(_HOUSEHOLD.read_text()))
    _HOUSEHOLD.unlink()
    _ENV.unlink(missing_ok=True)
    return 0


def _start(household: Household) -> tuple[PostgresServer, RabbitServer]:
    postgres = private_postgres(household)
    rabbit = private_rabbit(household)
    lines = _exports(postgres, rabbit)
    _HERE.mkdir(exist_ok=True)
    _ENV.touch(mode=0o600)
    _ENV.write_text(lines)
    sys.stdout.write(lines)
    return postgres, rabbit


def _exports(postgres: PostgresServer, rabbit: RabbitServer) -> str:
    ui = urlsplit(rabbit.management_url)
    password = ui.password or ""
    postgres.new_role(_NAME, password)
    database = urlsplit(postgres.new_database(name=_NAME))
    postgres.give_database(urlunsplit(database), _NAME)
    who = f"{_NAME}:{password}@{database.hostname}:{database.port}"
    named = {
        "DATABASE_URL": urlunsplit(database._replace(netloc=who)),
        "RABBITMQ_URL": rabbit.new_vhost(_NAME),
        "RABBITMQ_MANAGEMENT_URL": f"{ui.scheme}://{ui.hostname}:{ui.port}/",
        "RABBITMQ_MANAGEMENT_USER": ui.username,
        "RABBITMQ_MANAGEMENT_PASSWORD": password,
    }
    return "".join(f"export {name}='{value}'\n" for name, value in named.items())


def _leave(household: Household) -> None:
    household.close()
    _ENV.unlink(missing_ok=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # Once: a second Ctrl-C must not leave servers half stopped.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Interrupted


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _failed(text: str) -> int:
    _say(text)
    return 1


if __name__ == "__main__":
    sys.exit(main())
