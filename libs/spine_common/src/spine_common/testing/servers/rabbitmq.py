"""What a test can do with a RabbitMQ server: get fresh virtual hosts, and break it."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from spine_common.testing.servers.container import Container
from spine_common.testing.servers.control import Control, LocalProcess, control_from
from spine_common.testing.servers.errors import NotOurs, ServerUnavailable
from spine_common.testing.servers.management import Management, ManagementRefused


@dataclass(frozen=True, slots=True)
class RabbitServer:
    """A server and an administrator on it.

    ``url`` is ``amqp://…/`` of its default virtual host, ``management_url`` is
    ``http://user:password@host:port`` of its HTTP interface.
    """

    url: str
    management_url: str
    control: Control

    @property
    def management(self) -> Management:
        """The HTTP interface: queues, policies, connections."""
        return Management(self.management_url)

    def new_vhost(self, name: str | None = None) -> str:
        """Create an empty virtual host and return its AMQP URL."""
        name = name or f"spine-test-{secrets.token_hex(6)}"
        user = quote(urlsplit(self.management_url).username or "", safe="")
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.management.call("PUT", f"/api/vhosts/{quote(name, safe='')}")
        self.management.call(
            "PUT", f"/api/permissions/{quote(name, safe='')}/{user}", body=everything
        )
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{quote(name, safe='')}"))

    def delete_vhost(self, url: str) -> None:
        """Delete the virtual host of an AMQP URL and all that is in it."""
        self.management.call("DELETE", f"/api/vhosts/{urlsplit(url).path.removeprefix('/')}")

    def start(self) -> None:
        """Start it on the same ports and data, and wait until it takes connections."""
        self.control.start()
        self.wait_until_ready()

    def stop(self) -> None:
        """Stop it in order."""
        self.control.stop()

    def kill(self) -> None:
        """Kill every process of it at once."""
        self.control.kill()

    def ctl(self, *arguments: str) -> str:
        """Run ``rabbitmqctl`` against it and return what it says; only for one of our own."""
        if isinstance(self.control, LocalProcess):
            return self.control.beside("rabbitmqctl", "--quiet", *arguments)
        if isinstance(self.control, Container):
            return self.control.run("rabbitmqctl", "--quiet", *arguments)
        raise NotOurs("The broker is somebody else's: a test may use it, not control it.")

    def wait_until_ready(self, patience: float = 120) -> None:
        """Wait until it listens for AMQP, or raise ``ServerUnavailable`` with its log."""
        deadline = time.monotonic() + patience
        while (refusal := self._refusal()) is not None:
            if not self.control.running() or time.monotonic() > deadline:
                raise ServerUnavailable(
                    f"RabbitMQ does not answer: {refusal}\n{self.control.log()}"
                )
            time.sleep(0.1)

    def record(self) -> dict[str, Any]:
        """Return what ``from_record`` needs in another process."""
        return {
            "url": self.url,
            "management_url": self.management_url,
            **self.control.record(),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "RabbitServer":
        """Find the server again."""
        return cls(record["url"], record["management_url"], control_from(record))

    def _refusal(self) -> Exception | None:
        try:
            self.management.call("GET", "/api/health/checks/virtual-hosts")
            self.management.call("GET", "/api/health/checks/protocol-listener/amqp")
        except (OSError, ManagementRefused) as error:
            return error
        return None
