"""Which exchanges, queues and bindings there are, and where a routing key leads: plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from spine_common.contracts.routing import (
    COMMANDS_EXCHANGE,
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    EVENTS_EXCHANGE,
    UNROUTED_EXCHANGE,
    work_binding,
    work_queue,
)
from spine_common.core.pipeline import WORK_ROADS, WORK_STAGES

DEFAULT_EXCHANGE = ""
"""Every broker's nameless exchange: a routing key there is a queue's name."""
UNROUTED_QUEUE = "spine.unrouted"
REFUSED_QUEUE = "spine.dlq.refused"


class ExchangeKind(StrEnum):
    """How an exchange reads a routing key."""

    TOPIC = "topic"
    FANOUT = "fanout"
    """Not at all: every bound queue gets a copy."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where messages are published. What no queue is bound for goes on to ``alternate``."""

    name: str
    kind: ExchangeKind = ExchangeKind.TOPIC
    alternate: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Where a queue's rejected messages go; without ``routing_key`` they keep their own."""

    exchange: str
    routing_key: str | None = None


@dataclass(frozen=True, slots=True)
class Queue:
    """Where messages wait. ``newest`` bounds it: the oldest is dropped beyond that many."""

    name: str
    dead_letters: DeadLetters | None = None
    newest: int | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """Which of an exchange's messages a queue gets."""

    exchange: str
    pattern: str
    queue: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What is tuned: a broker's policy, so that a change never collides with a declaration."""

    name: str
    pattern: str
    definition: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything a broker has to know before a message can travel."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    policies: tuple[Policy, ...]

    def queue(self, name: str) -> Queue | None:
        """Return the queue of that name."""
        return next((queue for queue in self.queues if queue.name == name), None)

    def route(self, exchange: str, routing_key: str) -> tuple[Queue, ...]:
        """Return the queues a message reaches, each once; none when it can't be routed."""
        if exchange == DEFAULT_EXCHANGE:
            return tuple(queue for queue in self.queues if queue.name == routing_key)
        source = next((known for known in self.exchanges if known.name == exchange), None)
        if source is None:
            return ()
        bound = {
            binding.queue
            for binding in self.bindings
            if binding.exchange == exchange
            and (source.kind is ExchangeKind.FANOUT or matches(binding.pattern, routing_key))
        }
        if bound:
            return tuple(queue for queue in self.queues if queue.name in bound)
        return self.route(source.alternate, routing_key) if source.alternate else ()


def matches(pattern: str, routing_key: str) -> bool:
    """Say whether a topic pattern takes a key: ``*`` is one word, ``#`` any number, or none."""
    return _words_match(_words(pattern), _words(routing_key))


def _words(dotted: str) -> tuple[str, ...]:
    return tuple(dotted.split(".")) if dotted else ()


def _words_match(pattern: tuple[str, ...], key: tuple[str, ...]) -> bool:
    if not pattern:
        return not key
    first, *rest = pattern
    if first == "#":
        return any(_words_match(tuple(rest), key[skipped:]) for skipped in range(len(key) + 1))
    return bool(key) and first in {"*", key[0]} and _words_match(tuple(rest), key[1:])


def queue_arguments(queue: Queue) -> dict[str, Any]:
    """Return what a queue is declared with: only what correctness needs.

    A changed argument refuses every later declaration, so whatever is tuned is a ``Policy``.
    """
    arguments: dict[str, Any] = {"x-queue-type": "quorum"}
    if queue.dead_letters is not None:
        # Without at-least-once a reject is lost while its exchange is missing or its queue is
        # full, and at-least-once is only in force together with reject-publish.
        arguments["x-dead-letter-exchange"] = queue.dead_letters.exchange
        arguments["x-dead-letter-strategy"] = "at-least-once"
        arguments["x-overflow"] = "reject-publish"
        if queue.dead_letters.routing_key is not None:
            arguments["x-dead-letter-routing-key"] = queue.dead_letters.routing_key
    if queue.newest is not None:
        arguments["x-max-length"] = queue.newest
        arguments["x-overflow"] = "drop-head"
    return arguments


def _spine() -> Topology:
    rejected = DeadLetters(DEAD_LETTER_EXCHANGE)
    # A dead letter the dead-letter service itself rejects, or dies of twenty times, is evidence
    # too. By the default exchange, because spine.dlx would lead it back to where it came from.
    refused = DeadLetters(DEFAULT_EXCHANGE, REFUSED_QUEUE)
    return Topology(
        exchanges=(
            Exchange(COMMANDS_EXCHANGE),
            Exchange(EVENTS_EXCHANGE, alternate=UNROUTED_EXCHANGE),
            Exchange(UNROUTED_EXCHANGE, ExchangeKind.FANOUT),
            Exchange(DEAD_LETTER_EXCHANGE),
        ),
        queues=(
            *(Queue(work_queue(stage, lane), rejected) for stage, lane in WORK_ROADS),
            Queue(DEAD_LETTER_QUEUE, refused),
            Queue(REFUSED_QUEUE),
            # Events nobody subscribed to are no loss, the ledger has them; the newest are kept
            # to show an operator what a mistyped binding does not match.
            Queue(UNROUTED_QUEUE, newest=1_000),
        ),
        bindings=(
            *(
                Binding(COMMANDS_EXCHANGE, work_binding(stage, lane), work_queue(stage, lane))
                for stage, lane in WORK_ROADS
            ),
            Binding(DEAD_LETTER_EXCHANGE, "#", DEAD_LETTER_QUEUE),
            Binding(UNROUTED_EXCHANGE, "#", UNROUTED_QUEUE),
        ),
        policies=(
            # The delivery limit is the net under a message that ends every process, or breaks
            # every connection, it is delivered to before any code of ours runs.
            Policy(
                "spine.limits",
                rf"^spine\.(({'|'.join(WORK_STAGES)})\..+|dlq)$",
                MappingProxyType({"delivery-limit": 20, "max-length": 100_000}),
            ),
        ),
    )


SPINE = _spine()
