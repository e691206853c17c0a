"""How a test server is started in a container, where a Docker engine answers.

``testcontainers`` is imported inside the functions: it is slow to load and often not needed.
"""

import secrets
import shutil
import subprocess
from typing import TYPE_CHECKING

from spine_common.testing.servers.container import Container
from spine_common.testing.servers.errors import NotHere
from spine_common.testing.servers.household import Household
from spine_common.testing.servers.ports import free_ports
from spine_common.testing.servers.postgres import PostgresServer
from spine_common.testing.servers.rabbitmq import RabbitServer

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

POSTGRES_IMAGE = "postgres:16-alpine"
RABBIT_IMAGE = "rabbitmq:3.13-management-alpine"

_USER = "spine_admin"
_ENGINE_PATIENCE_S = 5
_POSTGRES_COMMAND = "postgres -c max_connections=300 -c jit=off"
_NOT_DURABLE = " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"


def start_container_postgres(household: Household, *, durable: bool = True) -> PostgresServer:
    """Start PostgreSQL in a container on a free host port."""
    require_engine()
    password = secrets.token_hex(16)
    command = _POSTGRES_COMMAND + ("" if durable else _NOT_DURABLE)
    environment = {"POSTGRES_USER": _USER, "POSTGRES_PASSWORD": password, "POSTGRES_DB": "postgres"}
    host, (port,), control = _run(household, POSTGRES_IMAGE, [5432], environment, command)
    server = PostgresServer.at(
        f"postgresql://{_USER}:{password}@{host}:{port}/postgres",
        control,
    )
    server.wait_until_ready()
    return server


def start_container_rabbit(household: Household) -> RabbitServer:
    """Start RabbitMQ with its management plugin in a container on free host ports."""
    require_engine()
    password = secrets.token_hex(16)
    environment = {"RABBITMQ_DEFAULT_USER": _USER, "RABBITMQ_DEFAULT_PASS": password}
    host, (amqp, management), control = _run(household, RABBIT_IMAGE, [5672, 15672], environment)
    server = RabbitServer(
        f"amqp://{_USER}:{password}@{host}:{amqp}/",
        f"http://{_USER}:{password}@{host}:{management}",
        control,
    )
    server.wait_until_ready()
    return server


def require_engine() -> None:
    """Raise ``NotHere`` unless an engine answers; the command alone proves nothing."""
    command = shutil.which("docker")
    if command is None:
        raise NotHere("no docker command")
    try:
        asked = subprocess.run(  # noqa: S603 - fixed arguments
            [command, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            text=True,
            timeout=_ENGINE_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotHere(f"the Docker engine did not answer within {_ENGINE_PATIENCE_S} s") from None
    if asked.returncode:
        raise NotHere(f"no Docker engine answers: {asked.stderr.strip()}")


def _run(
    household: Household,
    image: str,
    ports: list[int],
    environment: dict[str, str],
    command: str | None = None,
) -> tuple[str, list[int], Container]:
    from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    # Its reaper ends containers with the process that made them; ours end with the household.
    testcontainers_config.ryuk_disabled = True
    try:
        container = DockerContainer(image, command=command).with_envs(**environment)
        # Fixed host ports: a container that is killed and started again must be found again.
        for inside, outside in zip(ports, free_ports(len(ports)), strict=True):
            container.with_bind_ports(inside, outside)
        container.start()
        return _described(household, container, ports)
    except DockerException as error:
        raise NotHere(f"Docker could not start {image}: {error}") from error


def _described(
    household: Household, container: "DockerContainer", ports: list[int]
) -> tuple[str, list[int], Container]:
    control = Container(container.get_container_id())
    household.adopt(control)
    try:
        host = container.get_container_host_ip()
        return host, [container.get_exposed_port(port) for port in ports], control
    finally:
        container.get_docker_client().client.close()
