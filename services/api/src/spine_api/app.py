"""The API as a service: every router under each of its spellings, with health, and a relay."""

from collections.abc import Mapping
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware

from spine_api.edge import Edge
from spine_api.errors import HANDLERS
from spine_api.repeated import refuse_repeated
from spine_api.routes import ROUTERS
from spine_common.bootstrap.platform import Platform
from spine_common.bootstrap.service import Liveness, Service
from spine_common.bootstrap.worker import serve
from spine_common.core.errors import InvalidParams
from spine_common.observability.checks import Check
from spine_common.observability.health import health_routes

PREFIX = "/api/v1"
ALIASES = ("/v1", "")
"""Where the same routes answer, too, hidden from the schema."""

_DESCRIPTION = """
Orders pipelines and answers what they computed: captured once, never overwritten, as of any day.

* An **execution** is one recorded run of a pipeline: order it, then poll its `poll_url`.
* A **capture** is one immutable vintage of a partition. Data answers come from the latest one,
  from the one known at a moment (`as_of`), or from the one named (`capture_id`).
* **Quantities are exact decimals and come as text** (`"6753871.5"`), so that no reader rounds
  them; counts and ratios are numbers. `GET /data/calcs` says which column is what.
* Whatever goes wrong is one shape: `{"error": {"code", "message", "details", "trace_id"}}`.
"""


def _always() -> bool:
    return True


def create_app(
    platform: Platform, checks: Mapping[str, Check], liveness: Liveness = _always
) -> FastAPI:
    """Return the web app of a platform; ``checks`` say what readiness depends on."""
    _refuse_unguarded(platform.settings.auth_mode)
    app = FastAPI(
        title="Market Spine",
        summary="FINRA's off-exchange volume, captured, computed and answered as of any day.",
        description=_DESCRIPTION,
        version=version("spine-api"),
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(refuse_repeated)],
        generate_unique_id_function=_operation_id,
        middleware=[Middleware(Edge)],
        exception_handlers=HANDLERS,
    )
    app.state.platform = platform
    # Health comes first: no noun at the root can take its place.
    registry = platform.metrics.registry if platform.settings.metrics_enabled else None
    for prefix in (PREFIX, *ALIASES):
        for route in health_routes(checks, registry, liveness):
            app.add_route(prefix + route.path, route.endpoint, include_in_schema=False)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    for alias in ALIASES:
        for router in ROUTERS:
            app.include_router(router, prefix=alias, include_in_schema=False)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def _refuse_unguarded(auth_mode: str) -> None:
    """Stop where a guard is asked for that isn't there: the API would be open to all."""
    if auth_mode != "none":
        raise InvalidParams(
            f"AUTH_MODE={auth_mode} is not offered by this release.",
            remedy="Use AUTH_MODE=none behind a proxy that decides who may come in.",
        )


SERVICE = Service("api", app=create_app)


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    serve(SERVICE)


if __name__ == "__main__":
    main()
