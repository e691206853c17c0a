"""How a server in a container is stopped, killed and started again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spine_common.testing.servers.errors import ServerUnavailable


@dataclass(frozen=True, slots=True)
class Container:
    """A server in the container of that id."""

    id: str

    def start(self) -> None:
        """Start it; its ports were fixed when it was made."""
        self._do(lambda container: container.start())

    def stop(self) -> None:
        """Send the image's stop signal and wait for it."""
        self._do(lambda container: container.stop(timeout=60))

    def kill(self) -> None:
        """Kill every process of it."""
        self._do(lambda container: container.kill())

    def end(self) -> None:
        """Remove it and its volumes."""
        self._do(lambda container: container.remove(force=True, v=True))

    def running(self) -> bool:
        """Whether the engine says so."""
        return bool(self._do(lambda container: container.status) == "running")

    def log(self) -> str:
        """Return the last lines of its output."""
        return str(self._do(lambda container: container.logs(tail=40)).decode(errors="replace"))

    def run(self, *command: str) -> str:
        """Run a command in it and return what it says."""
        answer = self._do(lambda container: container.exec_run(list(command)))
        said = str(answer.output.decode(errors="replace"))
        if answer.exit_code:
            raise ServerUnavailable(f"{command[0]}: {said}")
        return said

    def record(self) -> dict[str, Any]:
        """Return its id."""
        return {"control": "container", "id": self.id}

    def _do(self, act: Callable[[Any], Any]) -> Any:
        from testcontainers.core.docker_client import DockerClient  # noqa: PLC0415 - heavy, and often not needed

        client = DockerClient().client
        try:
            return act(client.containers.get(self.id))
        finally:
            client.close()
