"""A service as a process: start in any order, say when ready, stop without losing work."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import stamina
import structlog
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from spine_common.bootstrap.consumers import check_consumers, start_consumers
from spine_common.bootstrap.hearing import DEAF_SECONDS, Hearing
from spine_common.bootstrap.http import serving
from spine_common.bootstrap.platform import Platform, open_platform
from spine_common.bootstrap.service import Liveness, Service
from spine_common.bootstrap.settings import Settings, get_settings
from spine_common.core.errors import BusUnavailable, SpineError
from spine_common.core.pipeline import WORK_STAGES
from spine_common.observability.checks import Check
from spine_common.observability.health import health_app
from spine_common.observability.logs import configure_logging

log = structlog.get_logger(__name__)

Announce = Callable[[Platform], None]


@dataclass
class _State:
    """Whether a process has all it needs; none of its consumers are started before that."""

    hearing: Hearing
    started: bool = False
    stopping: bool = False


def serve(
    *services: Service, settings: Settings | None = None, announce: Announce | None = None
) -> None:
    """Run services until SIGTERM or SIGINT; the entry point of every service's process."""
    chosen = settings or get_settings()
    configure_logging(_name(services), level=chosen.log_level, log_format=chosen.log_format)
    asyncio.run(run_until_stopped(services, chosen, announce))


async def run_until_stopped(
    services: Sequence[Service], settings: Settings, announce: Announce | None = None
) -> None:
    """Run services in this process until a signal asks it to stop.

    ``announce`` is called once the web app listens.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(services, settings) as platform:
        if announce is not None:
            announce(platform)
        await stop.wait()
        log.info("stopping", grace=settings.shutdown_grace_seconds)


@asynccontextmanager
async def running(services: Sequence[Service], settings: Settings) -> AsyncIterator[Platform]:
    """Run services while the block runs: web app first, then connections, relay, consumers.

    At the end deliveries stop, handlers get ``shutdown_grace_seconds``, and the relay gives back
    what it has not sent.
    """
    grace = settings.shutdown_grace_seconds
    async with open_platform(settings, _name(services)) as platform:
        state = _State(Hearing(platform.bus, DEAF_SECONDS))
        checks = _checks(platform, state)
        app = next((s.app for s in services if s.app), None)
        alive = state.hearing.is_alive
        web = app(platform, checks, alive) if app else _health_app(platform, checks, alive)
        async with serving(web, settings.http_host, settings.http_port, grace=grace):
            working = asyncio.create_task(_work(platform, services, state), name="working")
            try:
                async with _while_alive(working):
                    yield platform
            finally:
                state.stopping = True
                until = time.monotonic() + grace
                await platform.bus.close(grace)
                await platform.relay.stop(max(0.0, until - time.monotonic()))
                await _end(working)


@asynccontextmanager
async def _while_alive(working: asyncio.Task[None]) -> AsyncIterator[None]:
    """End the block when the work behind it dies: a process that does nothing must not look well.

    Raises what the work died of; whoever runs the process starts it again.
    """
    block = asyncio.current_task()

    def end_block(task: asyncio.Task[None]) -> None:
        if block is not None and not task.cancelled() and task.exception() is not None:
            block.cancel("the work behind it has died")

    working.add_done_callback(end_block)
    try:
        yield
    except asyncio.CancelledError:
        died_of = working.exception() if working.done() and not working.cancelled() else None
        if died_of is None or block is None:
            raise
        block.uncancel()
        raise died_of from None
    finally:
        working.remove_done_callback(end_block)


async def _work(platform: Platform, services: Sequence[Service], state: _State) -> None:
    """Wait for what we depend on, in any order; then consume and relay, for good."""
    async for attempt in stamina.retry_context(
        on=SpineError, attempts=None, timeout=None, wait_initial=0.5, wait_max=5.0
    ):
        with attempt:
            await platform.database.check()
            await platform.bus.connect()
            await platform.bus.check()
            await platform.store.check()
    state.hearing.expected = await start_consumers(platform, services)
    state.started = True
    log.info("started", consumers=state.hearing.expected, owner=platform.owner)
    for_good = [state.hearing.watch()]
    for_good += [service.beside(platform) for service in services if service.beside is not None]
    if _reaches_every_stage(platform, services):
        for_good.append(platform.relay.run())
    tasks = [asyncio.ensure_future(one) for one in for_good]
    try:
        await asyncio.gather(*tasks)
    finally:
        # ``gather`` ends with the first of them, and then what the others still use is closed.
        for task in tasks:
            if not task.cancelling():
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task until it is done.

    Before Python 3.12 ``wait_for`` swallows a cancellation that comes together with its result.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=1.0)
    await asyncio.gather(task, return_exceptions=True)


def _reaches_every_stage(platform: Platform, services: Sequence[Service]) -> bool:
    """Whether what this process sends can arrive.

    In process only its own consumers hear it: without all of them it would take commands out of
    the outbox that another process on the same database could have run.
    """
    if platform.settings.rabbitmq_url is not None:
        return True
    stages = {stage for service in services for stage in service.stages}
    return stages.issuperset(WORK_STAGES) and any(service.dead_letters for service in services)


def _name(services: Sequence[Service]) -> str:
    return services[0].name if len(services) == 1 else "spine"


def _checks(platform: Platform, state: _State) -> Mapping[str, Check]:
    async def consumers() -> None:
        if state.stopping:
            raise BusUnavailable("The process is stopping.")
        if not state.started:
            raise BusUnavailable("The process is still starting.")
        check_consumers(platform, state.hearing.expected)

    async def outbox() -> None:
        async with platform.database.reading() as tx:
            rows, age = await tx.outbox.depth()
        platform.metrics.outbox_rows.set(rows)
        platform.metrics.outbox_age.set(age)

    return {
        "database": platform.database.check,
        "broker": platform.bus.check,
        "storage": platform.store.check,
        "consumers": consumers,
        "outbox": outbox,
    }


def _health_app(platform: Platform, checks: Mapping[str, Check], alive: Liveness) -> ASGIApp:
    return health_app(checks, _registry(platform), alive)


def _registry(platform: Platform) -> CollectorRegistry | None:
    return platform.metrics.registry if platform.settings.metrics_enabled else None
