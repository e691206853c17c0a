"""Exchanges, queues and routing keys by name: what a sender and a receiver must agree on."""

from spine_common.core.pipeline import Lane, Stage

COMMANDS_EXCHANGE = "spine.commands"
EVENTS_EXCHANGE = "spine.events"
UNROUTED_EXCHANGE = "spine.unrouted"
DEAD_LETTER_EXCHANGE = "spine.dlx"
DEAD_LETTER_QUEUE = "spine.dlq"


def command_routing_key(stage: Stage, lane: Lane, domain: str) -> str:
    """Return the key a command is published with: ``normalize.normal.finra.otc_transparency``."""
    return f"{stage}.{lane}.{domain}"


def work_queue(stage: Stage, lane: Lane) -> str:
    """Return the queue a stage's lane is read from: ``spine.normalize.normal``."""
    return f"spine.{stage}.{lane}"


def work_binding(stage: Stage, lane: Lane) -> str:
    """Return the pattern that binds a work queue to the commands exchange."""
    return f"{stage}.{lane}.#"
