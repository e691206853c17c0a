"""The bus port, answered by RabbitMQ."""

from spine_common.adapters.bus.rabbit import declare
from spine_common.adapters.bus.rabbit.consume import Consumers
from spine_common.adapters.bus.rabbit.failures import REMEDY
from spine_common.adapters.bus.rabbit.policies import set_policies
from spine_common.adapters.bus.rabbit.publish import Publisher
from spine_common.adapters.bus.rabbit.wire import tolerate
from spine_common.adapters.bus.topology import SPINE
from spine_common.contracts.message import Message
from spine_common.core.errors import BusUnavailable
from spine_common.framework.ports.bus import Handler


class RabbitBus:
    """Carries messages over RabbitMQ 3.10 and later.

    ``publish_timeout`` bounds one publish, in seconds. ``graceful_timeout`` is what running
    handlers get if FastStream stops on its own account; ``close`` takes its own. With
    ``management_url`` (``http(s)://[user:password@]host:port``) ``declare`` sets the policies
    too; without it they are the operator's to set, and everything works with the broker's
    defaults.
    """

    def __init__(
        self,
        url: str,
        *,
        publish_timeout: float = 10.0,
        graceful_timeout: float = 20.0,
        management_url: str | None = None,
    ) -> None:
        tolerate()
        self._url = url
        self._management_url = management_url
        self._graceful_timeout = graceful_timeout
        self._publisher = Publisher(url, publish_timeout)
        self._consumers: Consumers | None = None

    async def connect(self) -> None:
        """Open the publishing connection; consumers open theirs when there is the first."""
        await self._publisher.connect()
        if self._consumers is None:
            self._consumers = Consumers(self._url, self._graceful_timeout)

    async def close(self, grace: float = 10.0) -> None:
        """Stop taking deliveries, wait up to ``grace`` seconds for handlers, disconnect."""
        try:
            if self._consumers is not None:
                await self._consumers.close(grace)
        finally:
            self._consumers = None
            await self._publisher.close()

    async def declare(self) -> None:
        """Create exchanges, queues and bindings, and policies given a management URL."""
        await self.restore()
        if self._management_url is not None:
            await set_policies(self._management_url, self._url, SPINE.policies)

    async def restore(self) -> None:
        """Create what is missing of exchanges, queues and bindings."""
        async with self._publisher.asking("declaring the topology") as connection:
            await declare.declare(connection, SPINE)

    async def check(self) -> None:
        """Raise ``Unroutable`` when the topology is missing, ``BusUnavailable`` without broker.

        That is also while the broker blocks publishers. Bindings can't be asked for over AMQP:
        ``declare`` makes them again.
        """
        async with self._publisher.asking("checking the topology") as connection:
            await declare.check(connection, SPINE)

    async def publish(self, message: Message) -> None:
        """Return once the broker has confirmed that a queue holds the message."""
        await self._publisher.publish(message)

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> None:
        """Start feeding ``handler`` from ``queue``, at most ``prefetch`` deliveries at a time."""
        if self._consumers is None:
            raise BusUnavailable("The bus is not connected.", remedy=REMEDY)
        await self._consumers.consume(queue, handler, prefetch)

    async def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue, not yet given to a consumer."""
        async with self._publisher.asking(f"looking into {queue}") as connection:
            return await declare.waiting(connection, queue)

    async def revive(self) -> int:
        """Start those consumers again that the broker has stopped feeding for good."""
        await self._publisher.revive()
        return await self._consumers.revive() if self._consumers is not None else 0

    def live_consumers(self) -> int:
        """Return how many consumers the broker still feeds, as far as we know."""
        return self._consumers.live() if self._consumers is not None else 0
