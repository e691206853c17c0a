"""The one door in: every command, whoever orders it, is recorded and put into the outbox here."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from spine_common.contracts.message import MAX_MESSAGE_BYTES
from spine_common.core.capture import Capture
from spine_common.core.errors import Conflict, InvalidParams, ParamsTooLarge
from spine_common.core.execution import EventType, Execution
from spine_common.core.ids import keyed_execution_id, new_execution_id
from spine_common.core.pipeline import Lane, Pipeline, Stage, TriggerSource
from spine_common.framework import workflow
from spine_common.framework.ports.database import Database, Transaction
from spine_common.framework.ports.ledger import NewExecution
from spine_common.framework.registry import Registry

_TRIES = 5
_MOST_BYTES = MAX_MESSAGE_BYTES // 2
_PER_CAPTURE = frozenset({Stage.NORMALIZE, Stage.AGGREGATE})


class Dispatcher:
    """Records orders. ``nudge`` tells the relay of this process that one is there."""

    def __init__(self, registry: Registry, database: Database, nudge: Callable[[], None]) -> None:
        self._registry = registry
        self._database = database
        self._nudge = nudge

    async def submit(
        self,
        pipeline: str,
        params: Mapping[str, Any] | None = None,
        lane: Lane = Lane.NORMAL,
        trigger_source: TriggerSource = TriggerSource.API,
        logical_key: str | None = None,
    ) -> Execution:
        """Order a pipeline and return its execution.

        An open execution with the same logical key is returned instead of a second one. Raises
        ``PipelineNotFound`` and ``InvalidParams`` before anything is written.
        """
        return await self.record(
            self.prepare(pipeline, params or {}, lane, trigger_source, logical_key)
        )

    async def record(self, new: NewExecution) -> Execution:
        """Record a prepared order, or return the execution that stands for it already."""
        for attempt in range(_TRIES):
            try:
                async with self._database.transaction() as tx:
                    execution, is_new = await tx.ledger.submit(new)
                    if is_new:
                        execution = await self._start(tx, execution)
            except Conflict:
                # The open execution of that key ended between two of our statements.
                if attempt + 1 == _TRIES:
                    raise
            else:
                self._nudge()
                return execution
        raise AssertionError("unreachable")

    def prepare(  # noqa: PLR0913, PLR0917 - an order is all of this
        self,
        pipeline: str,
        params: Mapping[str, Any],
        lane: Lane,
        trigger_source: TriggerSource,
        logical_key: str | None = None,
        idempotency_key: str | None = None,
    ) -> NewExecution:
        """Check an order and return what would be recorded; nothing is written.

        Orders with one idempotency key are one execution, also after it has ended.
        """
        declared = self._registry.pipeline(pipeline)
        values = declared.read_params(params)
        partition = declared.partition.of_or_none(values) if declared.partition else None
        key = partition.key if partition else None
        computed_key = _logical_key(declared, key, values)
        return NewExecution(
            execution_id=(
                keyed_execution_id(idempotency_key) if idempotency_key else new_execution_id()
            ),
            pipeline=declared.name,
            stage=declared.stage,
            domain=self._registry.domain_of(declared.name).name,
            lane=lane,
            params=values,
            partition_key=key,
            logical_key=logical_key or computed_key,
            trigger_source=trigger_source,
        )

    async def _start(self, tx: Transaction, execution: Execution) -> Execution:
        pipeline = self._registry.pipeline(execution.pipeline)
        if pipeline.stage is Stage.WORKFLOW:
            await workflow.begin(tx, self._registry, execution)
            return execution
        if self._means_all(pipeline, execution):
            return await self._fan_out(tx, pipeline, execution)
        await workflow.order(tx, execution)
        return execution

    def _means_all(self, pipeline: Pipeline, execution: Execution) -> bool:
        return (
            pipeline.partition is not None
            and pipeline.stage in _PER_CAPTURE
            and execution.partition_key is None
            and "capture_id" not in execution.params
        )

    async def _fan_out(
        self, tx: Transaction, pipeline: Pipeline, execution: Execution
    ) -> Execution:
        """Order the pipeline for every partition that has this work to do."""
        wanted = pipeline.partition.known(execution.params) if pipeline.partition else {}
        ordered = 0
        for partition in await tx.captures.partitions(execution.domain):
            if not wanted.items() <= partition.params().items():
                continue
            capture = await tx.captures.latest(partition)
            if capture is None or not await self._lacks(tx, pipeline, execution, capture):
                continue
            params = {**execution.params, **partition.params(), "capture_id": capture.capture_id}
            step = f"{pipeline.name}/{capture.capture_id}"
            await workflow.add_child(tx, self._registry, execution, pipeline, params, step=step)
            ordered += 1
        if ordered == 0:
            nothing = {"result": {"children": 0, "reason": "every partition has it done"}}
            return await tx.ledger.record(execution, EventType.SKIPPED, nothing)
        return execution

    async def _lacks(
        self, tx: Transaction, pipeline: Pipeline, execution: Execution, capture: Capture
    ) -> bool:
        if execution.params.get("force"):
            return True
        done = await tx.manifest.done(capture, pipeline.stage)
        domain = self._registry.domain(execution.domain)
        return not domain.versions(pipeline.stage) <= done


def _in_json(pipeline: Pipeline, params: Mapping[str, Any]) -> bytes:
    """Return parameters as they travel; ``InvalidParams`` for those no message can carry."""
    try:
        text = orjson.dumps(params, option=orjson.OPT_SORT_KEYS, default=str)
    except TypeError as error:
        raise InvalidParams(f"The parameters of {pipeline.name} are no JSON: {error}.") from error
    if len(text) > _MOST_BYTES:
        raise ParamsTooLarge(
            f"The parameters of {pipeline.name} have {len(text):,} bytes.",
            remedy=f"{_MOST_BYTES:,} at most: pass bulk data as a file.",
        )
    return text


def _logical_key(pipeline: Pipeline, partition_key: str | None, params: Mapping[str, Any]) -> str:
    """Name what an order is about: pipeline, partition, and the parameters beyond these.

    Two different files for one partition are two orders, not one.
    """
    beyond = dict(params)
    if partition_key is not None and pipeline.partition is not None:
        beyond = {k: v for k, v in beyond.items() if k not in pipeline.partition.names}
    digest = hashlib.sha256(_in_json(pipeline, beyond))
    return f"{pipeline.name}[{partition_key or ''}]#{digest.hexdigest()[:16]}"
