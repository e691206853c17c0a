"""A process says whether it is alive and ready, in time, and without its internals."""

import asyncio
import time
from collections.abc import Callable, Mapping

import httpx
import pytest
from prometheus_client import CollectorRegistry

from spine_common.core.errors import DatabaseUnavailable
from spine_common.observability.checks import Check, Checks
from spine_common.observability.health import health_app
from spine_common.observability.metrics import new_metrics


async def well() -> None:
    pass


async def away() -> None:
    raise DatabaseUnavailable("The database does not answer.", remedy="Start it.")


async def broken() -> None:
    raise ConnectionRefusedError("10.0.0.3:5432 as spine/hunter2")


async def hanging() -> None:
    await asyncio.Event().wait()


async def until_ok(checks: Checks, name: str) -> None:
    async with asyncio.timeout(5):
        while True:
            if (await checks.findings())[name].ok:
                return
            await asyncio.sleep(0)


def client(
    checks: Mapping[str, Check],
    registry: CollectorRegistry | None = None,
    liveness: Callable[[], bool] = lambda: True,
) -> httpx.AsyncClient:
    app = health_app(checks, registry, liveness)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def test_a_process_whose_checks_pass_is_ready():
    async with client({"database": well, "storage": well}) as http:
        answer = await http.get("/health/ready")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": {"status": "ok"}, "storage": {"status": "ok"}},
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_a_failed_check_is_named_and_makes_the_process_unready():
    async with client({"database": away, "storage": well}) as http:
        answer = await http.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not_ready",
        "checks": {
            "database": {
                "status": "failed",
                "code": "DATABASE_UNAVAILABLE",
                "error": "The database does not answer. Start it.",
            },
            "storage": {"status": "ok"},
        },
    }


async def test_what_a_library_says_stays_inside():
    async with client({"database": broken}) as http:
        answer = await http.get("/health/ready")

    assert answer.status_code == 503
    assert "ConnectionRefusedError" in answer.text
    assert "10.0.0.3" not in answer.text
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("path", ["/health", "/health/live"])
async def test_liveness_asks_the_process_and_not_its_servers(path: str):
    alive = True
    async with client({"database": away}, liveness=lambda: alive) as http:
        assert (await http.get(path)).status_code == 200
        alive = False
        answer = await http.get(path)

    assert answer.status_code == 503
    assert answer.json() == {"status": "dead"}


async def test_full_health_has_the_key_figures():
    metrics = new_metrics()
    metrics.consumers.set(9)
    async with client({"database": well}, metrics.registry) as http:
        answer = await http.get("/health/metrics")

    body = answer.json()
    assert answer.status_code == 200
    assert (body["alive"], body["status"]) == (True, "ready")
    assert body["checks"] == {"database": {"status": "ok"}}
    assert body["figures"]["spine_consumers"] == 9


async def test_prometheus_gets_its_text():
    metrics = new_metrics()
    async with client({}, metrics.registry) as http:
        plain = await http.get("/metrics")
        modern = await http.get("/metrics", headers={"accept": "application/openmetrics-text"})

    assert plain.headers["content-type"].startswith("text/plain")
    assert "spine_outbox_rows 0.0" in plain.text
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    assert modern.text.endswith("# EOF\n")


async def test_without_metrics_there_is_no_page_of_them():
    async with client({}) as http:
        assert (await http.get("/metrics")).status_code == 404
        assert (await http.get("/health/metrics")).json()["figures"] == {}


async def test_a_check_that_hangs_is_a_failure_in_time_and_holds_up_no_other():
    checks = Checks({"bus": hanging, "database": well}, limit=0.05)

    started = time.monotonic()
    findings = await checks.findings()

    assert time.monotonic() - started < 2
    assert findings["database"].ok
    assert findings["bus"].error == "No answer within 0.05 s."


async def test_a_check_that_hung_is_tried_afresh_and_can_recover():
    hangs = True

    async def bus() -> None:
        if hangs:
            await hanging()

    checks = Checks({"bus": bus}, limit=0.05, keep=0)
    assert not (await checks.findings())["bus"].ok

    hangs = False
    await until_ok(checks, "bus")


async def test_a_check_that_can_not_be_stopped_is_not_started_again_beside_itself():
    release = asyncio.Event()
    started = 0

    async def stubborn() -> None:
        nonlocal started
        started += 1
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    checks = Checks({"storage": stubborn}, limit=0.02, keep=0)
    for _ in range(3):
        assert not (await checks.findings())["storage"].ok
    assert started == 1

    release.set()
    await until_ok(checks, "storage")


async def test_however_many_ask_a_check_runs_once():
    runs = 0

    async def counted() -> None:
        nonlocal runs
        runs += 1
        await asyncio.sleep(0)

    checks = Checks({"database": counted}, keep=60)
    await asyncio.gather(*(checks.findings() for _ in range(20)))
    await checks.findings()

    assert runs == 1


async def test_checks_run_at_the_same_time():
    meeting = asyncio.Barrier(2)

    async def meet() -> None:
        await meeting.wait()

    findings = await Checks({"database": meet, "bus": meet}, limit=5).findings()

    assert all(finding.ok for finding in findings.values())
