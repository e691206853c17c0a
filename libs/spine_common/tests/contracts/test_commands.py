"""What a command is read from, and what is parked instead."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_common.contracts.commands import command_message, read_command
from spine_common.contracts.message import MAX_MESSAGE_BYTES
from spine_common.core.errors import OversizedMessage, PoisonMessage, UnknownMessageType
from spine_common.core.execution import Execution, Status
from spine_common.core.ids import Fence, command_message_id, new_execution_id
from spine_common.core.pipeline import Lane, Stage, TriggerSource

EXECUTION = Execution(
    execution_id=new_execution_id(),
    pipeline="suite.work",
    stage=Stage.NORMALIZE,
    domain="suite",
    lane=Lane.BACKFILL,
    params={"tier": "OTC", "force": True},
    partition_key="week_ending=2024-03-15/tier=OTC",
    logical_key="suite",
    trigger_source=TriggerSource.CLI,
    parent_id=None,
    status=Status.PENDING,
    attempt=2,
    fence=Fence(0),
    seq=1,
    created_at=datetime(2024, 3, 15, tzinfo=UTC),
)


def content(**changes: Any) -> dict[str, Any]:
    return orjson.loads(command_message(EXECUTION).body) | changes


def changed(**data: Any) -> bytes:
    return orjson.dumps(content(data=content()["data"] | data))


def test_a_command_is_read_as_it_was_written():
    message = command_message(EXECUTION)
    command = read_command(message.body)

    assert message.message_id == command_message_id(EXECUTION.execution_id, 2)
    assert message.routing_key == "normalize.backfill.suite"
    assert message.type == "spine.command.normalize.v1"
    assert (command.execution_id, command.attempt) == (EXECUTION.execution_id, 2)
    assert (command.params, command.lane) == (EXECUTION.params, Lane.BACKFILL)


def test_the_envelope_is_a_cloud_event():
    assert content()["specversion"] == "1.0"
    assert content()["subject"] == EXECUTION.partition_key
    assert content()["datacontenttype"] == "application/json"


def test_a_field_of_a_later_release_does_no_harm():
    assert read_command(changed(colour="blue")).pipeline == "suite.work"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b"{}",
        changed(execution_id="x"),
        changed(execution_id="\0" * 36),
        changed(attempt=0),
        changed(attempt=2**31),
        changed(stage="aggregate"),
        changed(lane="fast"),
    ],
    ids=range(11),
)
def test_bytes_that_are_no_command_are_poison(body: bytes):
    with pytest.raises(PoisonMessage):
        read_command(body)


@pytest.mark.parametrize(
    "type_", ["spine.command.normalize.v2", "spine.command.workflow.v1", "spine.event.x.v1", "v1"]
)
def test_an_unknown_type_or_version_is_named(type_: str):
    with pytest.raises(UnknownMessageType, match=type_):
        read_command(orjson.dumps(content(type=type_)))


def test_a_message_over_the_limit_is_neither_written_nor_read():
    with pytest.raises(OversizedMessage, match="by reference"):
        command_message(replace(EXECUTION, params={"text": "x" * MAX_MESSAGE_BYTES}))
    with pytest.raises(OversizedMessage):
        read_command(b" " * (MAX_MESSAGE_BYTES + 1))


@given(st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_poison(body: bytes):
    with pytest.raises(PoisonMessage):
        read_command(body)
