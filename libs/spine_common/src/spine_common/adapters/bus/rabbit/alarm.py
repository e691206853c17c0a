"""Whether the broker lets a connection publish: in an alarm it reads no more of what it is sent."""

import asyncio
from typing import Any

from aio_pika import RobustConnection

# aiormq answers these frames by itself and tells nobody.
_BLOCKED = "_Connection__handle_connection_blocked"
_UNBLOCKED = "_Connection__handle_connection_unblocked"
_MAY_SEND = "_Connection__connection_unblocked"


class PublishingConnection(RobustConnection):
    """A connection that comes back by itself, and knows why the broker blocks it if it does."""

    blocked_by: str | None = None
    """The broker's reason; the broker names none to a connection that has published nothing."""

    async def _on_connected(self) -> None:
        self.blocked_by = None
        if self.transport is not None:
            self._listen(self.transport.connection)
        await super()._on_connected()

    def _listen(self, connection: Any) -> None:
        blocked, unblocked = (
            getattr(connection, _BLOCKED, None),
            getattr(connection, _UNBLOCKED, None),
        )
        may_send = getattr(connection, _MAY_SEND, None)
        if blocked is None or unblocked is None or not isinstance(may_send, asyncio.Event):
            return  # Another aiormq: a publish that is blocked ends by its time limit.

        async def on_blocked(frame: Any) -> None:
            self.blocked_by = str(frame.reason)
            await blocked(frame)

        async def on_unblocked(frame: Any) -> None:
            self.blocked_by = None
            await unblocked(frame)

        setattr(connection, _BLOCKED, on_blocked)
        setattr(connection, _UNBLOCKED, on_unblocked)
        # A channel whose connection ends while it is blocked waits for that connection to be
        # unblocked, for ever, and holds a lock that coming back needs.
        connection.closing.add_done_callback(lambda _: may_send.set())
