"""How a private RabbitMQ is started from the binaries on this machine."""

import os
import secrets
import shutil
from pathlib import Path

from spine_common.testing.servers.control import LocalProcess
from spine_common.testing.servers.errors import NotHere
from spine_common.testing.servers.household import Household
from spine_common.testing.servers.ports import free_ports
from spine_common.testing.servers.rabbitmq import RabbitServer

_SCRIPTS = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server",
    "/opt/rabbitmq/sbin/rabbitmq-server",
    "/opt/rabbitmq_server-*/sbin/rabbitmq-server",
    "/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server",
    "/usr/local/opt/rabbitmq/sbin/rabbitmq-server",
    "/usr/local/lib/rabbitmq_server-*/sbin/rabbitmq-server",
)
_USER = "spine_admin"

_SETTINGS = """
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
default_user = {user}
default_pass = {password}
default_user_tags.administrator = true
disk_free_limit.absolute = 50MB
collect_statistics_interval = 1000
log.console = true
log.console.level = warning
log.file = false
"""


def start_local_rabbit(household: Household) -> RabbitServer:
    """Start RabbitMQ with its management plugin on free loopback ports, data in the household."""
    script = _script()
    home = household.new_home("rabbitmq")
    amqp, management, distribution, names = free_ports(4)
    password = secrets.token_hex(16)
    _write_configuration(home, amqp, management, password)
    environment = _environment(home, amqp, distribution, names)
    _start_name_server(household, names)
    process = LocalProcess.prepared(home, [str(script)], environment)
    household.adopt(process)
    server = RabbitServer(
        f"amqp://{_USER}:{password}@127.0.0.1:{amqp}/",
        f"http://{_USER}:{password}@127.0.0.1:{management}",
        process,
    )
    server.start()
    return server


def _script() -> Path:
    """Find the server's own script.

    The one a distribution puts on PATH may change the user and use the shared instance's folders;
    the real one lies beside ``plugins``.
    """
    on_path = shutil.which("rabbitmq-server")
    found = [path for pattern in _SCRIPTS for path in sorted(Path("/").glob(pattern[1:]))]
    for script in [*([Path(on_path).resolve()] if on_path else []), *reversed(found)]:
        if script.resolve().parent.parent.joinpath("plugins").is_dir():
            _epmd()
            return script
    raise NotHere("no RabbitMQ server script on PATH or in the usual folders")


def _epmd() -> Path:
    """Find Erlang's name server, which ships with the emulator."""
    for program in ("epmd", "erl"):
        if found := shutil.which(program):
            candidate = Path(found).resolve().parent / "epmd"
            if candidate.is_file():
                return candidate
    raise NotHere("no Erlang (epmd) on PATH")


def _write_configuration(home: Path, amqp: int, management: int, password: str) -> None:
    home.joinpath("rabbitmq.conf").write_text(
        _SETTINGS.format(amqp=amqp, management=management, user=_USER, password=password)
    )
    home.joinpath("enabled_plugins").write_text("[rabbitmq_management].\n")
    home.joinpath("rabbitmq-env.conf").touch()
    for folder in ("conf.d", "log", "mnesia"):
        home.joinpath(folder).mkdir()
    cookie = home / ".erlang.cookie"
    cookie.write_text(secrets.token_hex(16))
    cookie.chmod(0o400)


def _environment(home: Path, amqp: int, distribution: int, names: int) -> dict[str, str]:
    """Return an environment in which nothing of an installed instance is left."""
    loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"spine{amqp}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(amqp),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_BASE": str(home),
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_CONFIG_FILES": str(home / "conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_PID_FILE": str(home / "rabbitmq.pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
        "RABBITMQ_SCHEMA_DIR": str(home / "schema"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+S 2:2 {loopback}",
    }


def _start_name_server(household: Household, port: int) -> None:
    """Start a name server of our own: the one RabbitMQ would start is a daemon that stays."""
    home = household.new_home("epmd")
    argv = [str(_epmd()), "-port", str(port), "-address", "127.0.0.1"]
    process = LocalProcess.prepared(home, argv, {"PATH": os.defpath, "HOME": str(home)})
    household.adopt(process)
    process.start()
