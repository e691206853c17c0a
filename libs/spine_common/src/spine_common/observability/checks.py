"""Whether what a process depends on answers: each check within a time limit, all at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog

from spine_common.core.errors import SpineError
from spine_common.observability.redaction import hide_credentials

Check = Callable[[], Awaitable[None]]
"""Returns if all is well and raises if not."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: no error is good news."""

    error: str | None = None
    code: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the check passed."""
        return self.error is None


class Checks:
    """Runs named checks together and remembers what they found for a moment.

    However many ask at the same time, each check runs once. One that does not answer within
    ``limit`` seconds is cancelled, and not started again before it is really over.
    """

    def __init__(
        self, checks: Mapping[str, Check], *, limit: float = 2.0, keep: float = 1.0
    ) -> None:
        self._checks = dict(checks)
        self._limit = limit
        self._keep = keep
        self._lock = asyncio.Lock()
        self._running: dict[str, asyncio.Task[Finding]] = {}
        self._findings: dict[str, Finding] = {}
        self._kept_until = 0.0

    async def findings(self) -> Mapping[str, Finding]:
        """Return what each check found, at most ``keep`` seconds ago."""
        async with self._lock:
            if time.monotonic() >= self._kept_until:
                self._findings = await self._run()
                self._kept_until = time.monotonic() + self._keep
            return self._findings

    async def _run(self) -> dict[str, Finding]:
        for name, check in self._checks.items():
            before = self._running.get(name)
            if before is None or before.done():
                self._running[name] = asyncio.create_task(_judge(name, check))
        if self._running:
            await asyncio.wait(self._running.values(), timeout=self._limit)
        return {name: self._conclude(name) for name in self._checks}

    def _conclude(self, name: str) -> Finding:
        task = self._running[name]
        if task.done() and not task.cancelled():
            return task.result()
        task.cancel()
        return Finding(f"No answer within {self._limit:g} s.", "NO_ANSWER")


async def _judge(name: str, check: Check) -> Finding:
    try:
        await check()
    except SpineError as error:
        return Finding(hide_credentials(str(error)), error.code)
    except Exception as error:  # noqa: BLE001 - whatever a check raises is what it found
        # What a library says may hold addresses and names: that is for the log.
        _log.exception("health_check_failed", check=name)
        return Finding(f"The check failed with {type(error).__name__}; see the log.", "INTERNAL")
    return Finding()
