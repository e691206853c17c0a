"""The bus carries messages: at least once, in no order, never losing a confirmed one."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from spine_common.contracts.message import Message


class Verdict(StrEnum):
    """What becomes of a delivery."""

    ACK = "ack"
    REJECT = "reject"
    """Never requeued: the bus hands it to the dead-letter queue."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as a consumer receives it: undecoded."""

    body: bytes = field(repr=False)
    headers: Mapping[str, Any]
    queue: str
    message_id: str | None
    redelivered: bool


Handler = Callable[[Delivery], Awaitable[Verdict]]


class Bus(Protocol):
    """Carries messages. At least once, in no order; never loses a confirmed one."""

    async def connect(self) -> None:
        """Open the connections; ``BusUnavailable`` when the broker does not answer."""

    async def close(self, grace: float = 10.0) -> None:
        """Stop taking deliveries, wait up to ``grace`` seconds for handlers, disconnect."""

    async def declare(self) -> None:
        """Create exchanges, queues, bindings and policies. Idempotent."""

    async def restore(self) -> None:
        """Create what is missing of exchanges, queues and bindings; tuned policies stay as set."""

    async def check(self) -> None:
        """Raise ``Unroutable`` when the topology is missing, ``BusUnavailable`` without broker."""

    async def publish(self, message: Message) -> None:
        """Return once the message is safe; raise ``BusUnavailable`` or ``Unroutable`` otherwise.

        Safe means confirmed by the broker; in process it means handled.
        """

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> None:
        """Start feeding ``handler`` from ``queue``, at most ``prefetch`` deliveries at a time.

        A handler that raises is treated as ``REJECT``; the exception is logged.
        """

    async def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue, not yet given to a consumer.

        Raises ``Unroutable`` when there is no such queue, ``BusUnavailable`` without broker.
        """

    async def revive(self) -> int:
        """Start those consumers again that the broker has stopped feeding for good.

        Returns how many are fed then. Nothing happens to one that is fed, or may yet come back
        with its connection.
        """

    def live_consumers(self) -> int:
        """Return how many consumers the broker still feeds, as far as we know."""
