"""Which routing keys take nothing at present, and when each is tried again."""

import time
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Block:
    refusals: int = 0
    until: float = 0.0


@dataclass(slots=True)
class Roads:
    """Roads that are blocked: their queue is full, or is not there.

    Only what goes down a blocked road waits, ``first`` seconds at first and ``longest`` at most.
    After a wait the next messages try it; the first that gets through opens it.
    """

    first: float
    longest: float
    _blocks: dict[str, _Block] = field(default_factory=dict)

    def refuse(self, road: str, reason: str) -> float:
        """Block a road whose message was refused; return in how many seconds to try again."""
        now = time.monotonic()
        block = self._blocks.get(road)
        if block is None:
            log.warning("road_blocked", road=road, reason=reason)
            block = self._blocks[road] = _Block()
        if now >= block.until:
            # The messages that were under way together are one refusal, not many.
            block.refusals += 1
            wait = self.first * 2.0 ** min(block.refusals, 16)
            block.until = now + min(self.longest, wait)
        return block.until - now

    def accept(self, road: str) -> None:
        """Open a road that took a message."""
        if self._blocks.pop(road, None) is not None:
            log.info("road_open", road=road)

    def blocked(self) -> list[str]:
        """Return the roads that take nothing yet."""
        now = time.monotonic()
        return [road for road, block in self._blocks.items() if now < block.until]
