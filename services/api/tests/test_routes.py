import inspect

import pytest
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from spine_api import schemas
from spine_api.app import SERVICE, create_app
from spine_api.schemas import calcs, errors, executions, pipelines
from spine_common.bootstrap.platform import open_platform
from spine_common.core.errors import BusUnavailable, InvalidParams

HEALTH = {"/health", "/health/live", "/health/ready", "/health/metrics", "/metrics"}
PUBLIC = HEALTH | {"/docs", "/docs/oauth2-redirect", "/openapi.json"}
"""What anybody may ask, whatever guards the rest."""

INVENTORY = {
    ("POST", "/executions"),
    ("GET", "/executions"),
    ("GET", "/executions/{execution_id}"),
    ("GET", "/executions/{execution_id}/events"),
    ("GET", "/executions/{execution_id}/children"),
    ("GET", "/pipelines"),
    ("GET", "/pipelines/{name}"),
    ("GET", "/data/calcs"),
    ("GET", "/data/calcs/{name}"),
}
PREFIXES = ("/api/v1", "/v1", "")


def test_every_route_is_known_to_be_public_or_is_in_the_inventory(app):
    there = {
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        for method in route.methods or {"?"}
        if method != "HEAD"
    }
    guarded = {(method, prefix + path) for prefix in PREFIXES for method, path in INVENTORY}
    public = {("GET", prefix + path) for prefix in PREFIXES for path in HEALTH}
    public |= {("GET", path) for path in PUBLIC}

    assert there == guarded | public


def test_the_schema_shows_each_route_once_with_a_sentence_and_an_id(app):
    shown = app.openapi()["paths"]
    operations = {
        (method.upper(), path): operation
        for path, methods in shown.items()
        for method, operation in methods.items()
    }

    assert set(operations) == {(method, f"/api/v1{path}") for method, path in INVENTORY}
    assert len({operation["operationId"] for operation in operations.values()}) == len(INVENTORY)
    for operation in operations.values():
        assert operation["summary"].endswith(".")
        assert operation["description"]
        assert "422" not in operation["responses"]
        assert operation["responses"]["default"]["content"]["application/json"]["schema"] == {
            "$ref": "#/components/schemas/ErrorAnswer"
        }


@pytest.mark.parametrize(
    "model",
    [
        executions.Submission,
        executions.ExecutionAnswer,
        executions.EventAnswer,
        pipelines.PipelineAnswer,
        calcs.CalcRows,
        errors.ErrorAnswer,
    ],
)
def test_an_example_of_the_schema_is_one(model):
    examples = model.model_json_schema()["examples"]
    assert examples
    for example in examples:
        model.model_validate(example)


def test_every_model_of_the_schema_says_what_it_is():
    modules = (executions, pipelines, calcs, errors)
    models = {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseModel)
    }
    assert schemas.__doc__
    assert all(model.__doc__ for model in models)


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_the_same_routes_answer_under_each_spelling(api, prefix):
    said = (await api.post(f"{prefix}/executions", json={"pipeline": "example.hello"})).json()

    assert said["poll_url"].startswith("/api/v1/")
    assert (await api.get(f"{prefix}/executions/{said['id']}")).json() == said
    assert (await api.get(f"{prefix}/pipelines/example.hello")).status_code == 200
    assert (await api.get(f"{prefix}/data/calcs")).status_code == 200


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", sorted(HEALTH))
async def test_health_answers_under_each_spelling_and_nothing_takes_its_place(api, prefix, path):
    answer = await api.get(prefix + path)

    assert answer.status_code == 200
    if path != "/metrics":
        assert "error" not in answer.json()


async def test_readiness_is_what_the_checks_say(platform, connect):
    async def away() -> None:
        raise BusUnavailable("The broker does not answer.")

    async with connect(create_app(platform, {"broker": away})) as api:
        answer = await api.get("/health/ready")

    assert answer.status_code == 503
    assert answer.json()["checks"]["broker"]["code"] == "BUS_UNAVAILABLE"


async def test_without_metrics_there_is_no_route_for_them(settings, connect):
    quiet = settings.model_copy(update={"metrics_enabled": False})
    async with open_platform(quiet, "api") as platform, connect(create_app(platform, {})) as api:
        assert (await api.get("/metrics")).status_code == 404


async def test_an_api_that_is_to_be_guarded_does_not_start_unguarded(settings):
    guarded = settings.model_copy(update={"auth_mode": "api_key"})
    async with open_platform(guarded, "api") as platform:
        with pytest.raises(InvalidParams, match="AUTH_MODE"):
            create_app(platform, {})


def test_the_service_runs_no_stage():
    assert SERVICE.name == "api"
    assert not SERVICE.stages
    assert SERVICE.app is create_app
