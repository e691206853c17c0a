"""How a process says whether it is alive, ready, and how it does: the health routes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spine_common.observability.checks import Check, Checks, Finding
from spine_common.observability.metrics import key_figures

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _always() -> bool:
    return True


def health_app(
    checks: Mapping[str, Check],
    metrics_registry: CollectorRegistry | None,
    liveness: Callable[[], bool] = _always,
) -> Starlette:
    """Return an app with the health routes alone, for a service that serves nothing else."""
    return Starlette(routes=health_routes(checks, metrics_registry, liveness))


def health_routes(
    checks: Mapping[str, Check],
    metrics_registry: CollectorRegistry | None,
    liveness: Callable[[], bool] = _always,
) -> list[Route]:
    """Return the health routes, for an app that has others too.

    ``/health`` and ``/health/live`` say whether the process should go on living (``liveness``),
    ``/health/ready`` whether what it depends on answers (``checks``), ``/health/metrics`` both
    with key figures; 200 is yes, 503 is no. ``/metrics`` is for Prometheus. Without a registry
    there are no figures and no ``/metrics``.
    """
    health = _Health(Checks(checks), metrics_registry, liveness)
    routes = [
        Route("/health", health.live),
        Route("/health/live", health.live),
        Route("/health/ready", health.ready),
        Route("/health/metrics", health.full),
    ]
    if metrics_registry is not None:
        routes.append(Route("/metrics", _metrics(metrics_registry)))
    return routes


@dataclass(frozen=True, slots=True)
class _Health:
    checks: Checks
    registry: CollectorRegistry | None
    is_alive: Callable[[], bool]

    async def live(self, _request: Request) -> Response:
        alive = self.is_alive()
        return _answer({"status": "alive" if alive else "dead"}, ok=alive)

    async def ready(self, _request: Request) -> Response:
        findings = await self.checks.findings()
        return _answer(_readiness(findings), ok=_all_ok(findings))

    async def full(self, _request: Request) -> Response:
        alive, findings = self.is_alive(), await self.checks.findings()
        figures = {} if self.registry is None else key_figures(self.registry)
        body = {"alive": alive, **_readiness(findings), "figures": figures}
        return _answer(body, ok=alive and _all_ok(findings))


def _metrics(registry: CollectorRegistry) -> Callable[[Request], Awaitable[Response]]:
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={**_HEADERS, "Content-Type": content_type})

    return metrics


def _all_ok(findings: Mapping[str, Finding]) -> bool:
    return all(finding.ok for finding in findings.values())


def _readiness(findings: Mapping[str, Finding]) -> dict[str, Any]:
    return {
        "status": "ready" if _all_ok(findings) else "not_ready",
        "checks": {name: _shown(finding) for name, finding in findings.items()},
    }


def _shown(finding: Finding) -> dict[str, str | None]:
    if finding.ok:
        return {"status": "ok"}
    return {"status": "failed", "code": finding.code, "error": finding.error}


def _answer(body: dict[str, Any], *, ok: bool) -> Response:
    return JSONResponse(body, status_code=200 if ok else 503, headers=_HEADERS)
