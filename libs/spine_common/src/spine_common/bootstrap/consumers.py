"""A service's stages become consumers: one for each lane, observed, on the platform's bus."""

from collections.abc import Iterable

from spine_common.bootstrap.platform import Platform
from spine_common.bootstrap.service import Service
from spine_common.contracts.routing import DEAD_LETTER_QUEUE, work_queue
from spine_common.core.errors import BusUnavailable, Kind
from spine_common.core.pipeline import Lane
from spine_common.framework.deadletters import DeadLetterDesk
from spine_common.framework.outcome import Done, Failed, PutBack, Stale
from spine_common.framework.runner import Handled, Observer, StageRunner
from spine_common.framework.turns import Turns
from spine_common.observability.metrics import Metrics


async def start_consumers(platform: Platform, services: Iterable[Service]) -> int:
    """Start every consumer the services need; return how many that is."""
    started = 0
    prefetch = platform.settings.prefetch
    turns = Turns()
    for service in services:
        runner = StageRunner(
            platform.context,
            service.stages,
            owner=platform.owner,
            terms=platform.terms,
            turns=turns,
            nudge=platform.relay.nudge,
            observe=observer(platform.metrics),
        )
        for stage in service.stages:
            for lane in Lane:
                await platform.bus.consume(
                    work_queue(stage, lane), runner.handle, prefetch=prefetch
                )
                started += 1
        if service.dead_letters:
            desk = DeadLetterDesk(
                platform.registry,
                platform.database,
                platform.policy,
                nudge=platform.relay.nudge,
                given_up=lambda pipeline: platform.metrics.dead_letters.labels(pipeline).inc(),
            )
            await platform.bus.consume(DEAD_LETTER_QUEUE, desk.handle, prefetch=prefetch)
            started += 1
    return started


def check_consumers(platform: Platform, expected: int) -> None:
    """Raise unless the broker feeds every consumer we started: a deaf one is not ready."""
    live = platform.bus.live_consumers()
    platform.metrics.consumers.set(live)
    if live < expected:
        raise BusUnavailable(f"{live} of {expected} consumers are fed by the broker.")


def observer(metrics: Metrics) -> Observer:
    """Return what counts every handled command."""

    def observe(handled: Handled) -> None:
        pipeline = handled.command.pipeline if handled.command else "unknown"
        result = _result(handled)
        metrics.pipeline_runs.labels(pipeline, result).inc()
        match handled.outcome:
            case Done(status=status):
                metrics.executions.labels(pipeline, status).inc()
                metrics.execution_duration.labels(pipeline).observe(handled.seconds)
            case Failed():
                metrics.executions.labels(pipeline, "failed").inc()
            case _:
                pass
        if handled.command is not None:
            for kind_of_row, count in handled.rows.items():
                metrics.rows.labels(handled.command.stage, kind_of_row).inc(count)

    return observe


def _result(handled: Handled) -> str:
    match handled.outcome:
        case Done(status=status):
            return status
        case Stale():
            return "stale"
        case PutBack():
            return "put_back"
        case Failed(kind=Kind.TRANSIENT):
            return "retry"
        case Failed():
            return "dead_letter"
