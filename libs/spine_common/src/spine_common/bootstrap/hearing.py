"""Whether a process still hears its queues: it revives its consumers, or asks to be restarted."""

import asyncio
import time
from dataclasses import dataclass

import structlog

from spine_common.core.errors import SpineError
from spine_common.framework.ports.bus import Bus

log = structlog.get_logger(__name__)

LOOK_SECONDS = 2.0
DEAF_SECONDS = 60.0


@dataclass
class Hearing:
    """Watches the consumers of one process.

    While the broker does not answer, nobody is deaf: a restart would change nothing. A process
    whose consumers stay away for ``patience`` seconds although it does answer is deaf, and its
    liveness says so.
    """

    bus: Bus
    patience: float
    expected: int = 0
    _deaf_since: float | None = None
    _refusal: str | None = None

    def is_alive(self) -> bool:
        """Whether the process is worth going on with."""
        return self._deaf_since is None or time.monotonic() - self._deaf_since < self.patience

    async def watch(self) -> None:
        """Look again and again, for good."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Revive what can be revived, and remember since when not all are fed."""
        live = await self._revived()
        if live >= self.expected or not await self._broker_answers():
            self._deaf_since = None
        elif self._deaf_since is None:
            log.warning("consumers_missing", live=live, expected=self.expected)
            self._deaf_since = time.monotonic()

    async def _revived(self) -> int:
        try:
            live = await self.bus.revive()
        except SpineError as error:
            if str(error) != self._refusal:
                log.warning("consumers_not_revived", error=str(error))
            self._refusal = str(error)
            return self.bus.live_consumers()
        self._refusal = None
        return live

    async def _broker_answers(self) -> bool:
        try:
            await self.bus.check()
        except SpineError:
            # Also while a queue is missing: to declare it is nothing a restart would do.
            return False
        return True
