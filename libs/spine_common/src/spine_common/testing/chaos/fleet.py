"""The services as replicas somebody looks after: who dies is started again, as it would be live."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from spine_common.testing.chaos import launch
from spine_common.testing.chaos.rules import Rule, spelled
from spine_common.testing.cluster import ServiceProcess

EVERYTHING = ("ingestor", "normalizer", "aggregator", "dlq", "scheduler")
_LOOK_SECONDS = 0.1
_HEALTH_SECONDS = 5.0


@dataclass
class Replica(ServiceProcess):
    """One of maybe several processes of a service: ``normalizer-2`` is a second normalizer."""

    rules: Sequence[Rule] = ()
    clock: float = 0.0
    held: bool = False
    """Whether the scenario wants it down, or stopped, so that nobody starts it again."""

    def command(self) -> list[str]:
        """Return how it is started: by the launcher that arms failpoints."""
        service = self.name.partition("-")[0]
        return [
            sys.executable,
            "-m",
            "spine_common.testing.chaos.launch",
            f"spine_{service}.app",
        ]

    def variables(self) -> dict[str, str]:
        """Return its environment, faults included."""
        faults = {launch.RULES: spelled(self.rules), launch.CLOCK: str(self.clock)}
        return {**super().variables(), **faults}


@dataclass
class Fleet:
    """Replicas by name, looked after while the block runs."""

    environment: Mapping[str, str]
    folder: Path
    names: Sequence[str] = EVERYTHING
    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    clocks: Mapping[str, float] = field(default_factory=dict)
    restarts: int = 0
    _keeping: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        once = self.folder / "once"
        once.mkdir(parents=True, exist_ok=True)
        given = {
            "SPINE_HTTP_PORT": "0",
            "SPINE_LOG_LEVEL": "INFO",
            launch.ONCE: str(once),
            **self.environment,
        }
        self.replicas = {
            name: Replica(
                name,
                given,
                self.folder / f"{name}.log",
                restarted=True,
                rules=self.rules.get(name, ()),
                clock=self.clocks.get(name, 0.0),
            )
            for name in self.names
        }

    def __getitem__(self, name: str) -> Replica:
        return self.replicas[name]

    async def __aenter__(self) -> Self:
        for replica in self.replicas.values():
            replica.start()
        try:
            await asyncio.gather(*(one.ready() for one in self.replicas.values() if not one.rules))
        except BaseException:
            self.end()
            raise
        self._keeping = asyncio.create_task(self._keep(), name="fleet")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
        await asyncio.to_thread(self.end)

    def end(self) -> None:
        """Kill every process: what they leave behind is what is looked at."""
        for replica in self.replicas.values():
            if replica.process is not None:
                replica.kill()

    def faults(self) -> int:
        """Return how many armed faults have happened so far, by the services' logs."""
        return sum(len(self.told("failpoint", name)) for name in self.replicas)

    def megabytes(self) -> int:
        """Return the memory of the largest process."""
        status = (
            Path(f"/proc/{one.process.pid}/status")
            for one in self.replicas.values()
            if one.process is not None
        )
        lines = [line for it in status if it.exists() for line in it.read_text().splitlines()]
        return max((int(line.split()[1]) // 1024 for line in lines if "VmRSS" in line), default=0)

    def told(self, event: str, name: str) -> list[dict[str, Any]]:
        """Return a replica's log lines about an event, over all of its lives."""
        return [line for line in self.replicas[name].all_lines() if line.get("event") == event]

    async def ready(self) -> None:
        """Wait until every replica that is not held down is ready."""
        await asyncio.gather(*(one.ready() for one in self.replicas.values() if not one.held))

    async def _keep(self) -> None:
        """Start again who has died, and kill who says that it had better not live."""
        next_look = time.monotonic() + _HEALTH_SECONDS
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for replica in self.replicas.values():
                if replica.held or replica.process is None or replica.process.poll() is None:
                    continue
                self.restarts += 1
                replica.start()
            if time.monotonic() > next_look:
                next_look = time.monotonic() + _HEALTH_SECONDS
                for replica in self.replicas.values():
                    if not replica.held:
                        status, _ = await asyncio.to_thread(replica.get, "/health/live")
                        if status == 503:  # noqa: PLR2004 - HTTP's unavailable
                            replica.kill()
