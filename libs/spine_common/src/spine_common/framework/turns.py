"""Who runs beside whom in a process: most side by side, what is suspect alone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Turns:
    """A process's one shared lock, which may be held alone; of one event loop.

    While somebody asks for a turn alone no other turn begins, so that it comes; and asking has
    an end, so that the others do not wait for ever. A plain read-write lock can do either, but
    leaves those who wait behind a writer that gave up where they are.
    """

    def __init__(self) -> None:
        self._beside = 0
        self._asking = 0
        self._alone = False
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def beside_others(self) -> AsyncIterator[None]:
        """Run the block side by side with others, after whoever is or asks to be alone."""
        await self._until(lambda: not self._alone and not self._asking)
        self._beside += 1
        try:
            yield
        finally:
            self._beside -= 1
            self._tell()

    @asynccontextmanager
    async def alone(self, patience: float) -> AsyncIterator[bool]:
        """Run the block with nobody beside it; False if that took longer than ``patience`` s."""
        if not await self._is_mine(patience):
            yield False
            return
        try:
            yield True
        finally:
            self._alone = False
            self._tell()

    async def _is_mine(self, patience: float) -> bool:
        self._asking += 1
        try:
            async with asyncio.timeout(patience):
                await self._until(lambda: not self._alone and not self._beside)
            self._alone = True
        except TimeoutError:
            return False
        finally:
            self._asking -= 1
            self._tell()
        return True

    async def _until(self, free: Callable[[], bool]) -> None:
        # Nothing is awaited between a look that finds it free and the turn that is taken.
        while not free():
            await self._changed.wait()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
