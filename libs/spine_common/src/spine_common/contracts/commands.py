"""Commands: run a pipeline for a partition. One model, one type and version per stage."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spine_common.contracts.envelope import Envelope, decode, encode, first_fault
from spine_common.contracts.message import Message
from spine_common.contracts.routing import COMMANDS_EXCHANGE, command_routing_key
from spine_common.core.clock import utc_now
from spine_common.core.errors import PoisonMessage, UnknownMessageType
from spine_common.core.execution import Execution
from spine_common.core.ids import ExecutionId, command_message_id
from spine_common.core.pipeline import WORK_STAGES, Lane, Stage

COMMAND_VERSION = 1
_TYPE = re.compile(r"spine\.command\.(?P<stage>[a-z]+)\.v(?P<version>[0-9]+)")


class Command(BaseModel):
    """One attempt at one execution, addressed to a stage."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    execution_id: ExecutionId = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    attempt: int = Field(ge=1, lt=2**31)
    pipeline: str
    domain: str
    stage: Stage
    lane: Lane
    partition_key: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)


def command_type(stage: Stage) -> str:
    """Return the CloudEvents type of a stage's command: ``spine.command.normalize.v1``."""
    return f"spine.command.{stage}.v{COMMAND_VERSION}"


def command_of(execution: Execution) -> Command:
    """Return the command for the execution's present attempt, as the ledger has it."""
    return Command(
        execution_id=execution.execution_id,
        attempt=execution.attempt,
        pipeline=execution.pipeline,
        domain=execution.domain,
        stage=execution.stage,
        lane=execution.lane,
        partition_key=execution.partition_key,
        params=dict(execution.params),
    )


def command_message(execution: Execution) -> Message:
    """Return the message that asks for the execution's present attempt."""
    command = command_of(execution)
    message_id = command_message_id(execution.execution_id, execution.attempt)
    envelope = Envelope(
        id=message_id,
        type=command_type(execution.stage),
        source="/spine",
        subject=execution.partition_key,
        time=utc_now(),
        data=command.model_dump(mode="json"),
    )
    return Message(
        message_id=message_id,
        type=envelope.type,
        exchange=COMMANDS_EXCHANGE,
        routing_key=command_routing_key(execution.stage, execution.lane, execution.domain),
        body=encode(envelope),
    )


def read_command(body: bytes) -> Command:
    """Read a command from its bytes.

    Raises ``PoisonMessage`` for bytes that are none and ``UnknownMessageType`` for a type or
    version this release does not know; both are parked, never retried.
    """
    envelope = decode(body)
    match = _TYPE.fullmatch(envelope.type)
    if match is None or match["stage"] not in WORK_STAGES:
        raise UnknownMessageType(f"{envelope.type!r} is no command of ours.")
    if int(match["version"]) != COMMAND_VERSION:
        raise UnknownMessageType(
            f"{envelope.type!r} is version {match['version']}; this release reads"
            f" version {COMMAND_VERSION}."
        )
    try:
        command = Command.model_validate(envelope.data)
    except ValidationError as error:
        raise PoisonMessage(f"The command's data is wrong: {first_fault(error)}.") from error
    if command.stage != match["stage"]:
        raise PoisonMessage(f"{envelope.type!r} carries a command for {command.stage}.")
    return command
