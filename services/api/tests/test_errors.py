import asyncio
import io
import json
import logging
import re
import threading
from collections.abc import Iterator

import pytest
import structlog

from spine_api.app import create_app
from spine_api.errors import STATUS, status_of
from spine_common.bootstrap.platform import open_platform
from spine_common.core import errors as vocabulary
from spine_common.core.errors import Kind, SpineError
from spine_common.observability.logs import configure_logging

PROMISED = {
    "INVALID_TIER": 400,
    "INVALID_DATE": 400,
    "INVALID_SYMBOL": 400,
    "INVALID_PARAMS": 400,
    "MISSING_REQUIRED": 400,
    "PIPELINE_NOT_FOUND": 404,
    "EXECUTION_NOT_FOUND": 404,
    "DOMAIN_NOT_FOUND": 404,
    "CALC_NOT_FOUND": 404,
    "CAPTURE_NOT_FOUND": 404,
    "DATA_NOT_READY": 409,
    "DEPENDENCY_MISSING": 409,
    "DUPLICATE_IN_PROGRESS": 409,
    "NOT_CANCELLABLE": 409,
    "PARAMS_TOO_LARGE": 413,
    "SOURCE_FORMAT": 422,
    "DATABASE_UNAVAILABLE": 503,
}


def family(cls: type[SpineError] = SpineError) -> Iterator[type[SpineError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from family(child)


@pytest.mark.parametrize(("code", "status"), PROMISED.items())
def test_a_promised_code_has_its_status(code, status):
    # A subclass of the library may share the code, and does not share its arguments.
    [cls] = {cls for cls in family() if "code" in vars(cls) and cls.code == code}
    assert status_of(cls("what happened")) == status


def test_a_transient_failure_and_no_other_of_the_vocabulary_is_a_503():
    known = [cls for cls in family() if cls.__module__ == vocabulary.__name__]
    for cls in known:
        assert (status_of(cls("what happened")) == 503) == (cls.kind is Kind.TRANSIENT), cls


def test_the_table_has_no_code_that_nothing_raises():
    assert set(STATUS) <= {cls.code for cls in family()}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/nothing", 404, "NOT_FOUND"),
        ("/nothing", 404, "NOT_FOUND"),
        ("/api/v1/executions/", 404, "NOT_FOUND"),
        ("/api/v1/pipelines/nothing", 404, "PIPELINE_NOT_FOUND"),
    ],
)
async def test_a_path_that_leads_nowhere_is_answered_in_the_one_shape(api, path, status, code):
    answer = await api.get(path)

    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message", "details", "trace_id"}
    assert answer.json()["error"]["code"] == code


@pytest.mark.parametrize("prefix", ["/api/v1", "/v1", ""])
async def test_a_method_not_taken_is_a_405_that_names_all_that_are(api, prefix):
    answer = await api.delete(f"{prefix}/executions")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
    assert answer.json()["error"]["code"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ("{}", "MISSING_REQUIRED", "pipeline"),
        ("{", "INVALID_PARAMS", "body"),
        ("[]", "INVALID_PARAMS", "body"),
        ("", "MISSING_REQUIRED", "body"),
        ('{"pipeline": 7}', "INVALID_PARAMS", "pipeline"),
        ('{"pipeline": "x", "lane": "fast"}', "INVALID_PARAMS", "lane"),
        ('{"pipeline": "x", "priority": 1}', "INVALID_PARAMS", "priority"),
        ('{"pipeline": "x", "params": []}', "INVALID_PARAMS", "params"),
        ('{"pipeline": "\\ud800"}', "INVALID_PARAMS", "pipeline"),
        (
            '{"pipeline": "x", "params": {"a": ' + "[" * 600 + "]" * 600 + "}}",
            "INVALID_PARAMS",
            None,
        ),
        ("[" * 100_000, "INVALID_PARAMS", None),
    ],
)
async def test_a_body_that_does_not_fit_is_a_400_naming_the_field(api, body, code, field):
    headers = {"Content-Type": "application/json"}
    answer = await api.post("/api/v1/executions", content=body, headers=headers)

    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["code"] == code
    assert field is None or error["details"]["field"] == field
    assert len(answer.content) < 2_000


async def test_a_body_sent_as_a_form_is_told_to_come_as_json(api):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await api.post("/api/v1/executions", content='{"pipeline": "x"}', headers=headers)

    assert answer.status_code == 400
    assert "Content-Type: application/json" in answer.json()["error"]["message"]


async def test_every_fault_of_a_request_is_named_at_once(api):
    answer = await api.get("/api/v1/executions?limit=0&status=lost")

    faults = answer.json()["error"]["details"]["faults"]
    assert len(faults) == 2


async def drivers_ended() -> None:
    """Wait for the threads of connections that failed to open: they report to this loop."""
    for thread in threading.enumerate():
        if "_connection_worker" in thread.name:
            await asyncio.to_thread(thread.join, 10)


async def test_without_the_database_the_answer_is_a_503_that_says_when_to_come_back(
    settings, connect, tmp_path
):
    away = tmp_path / "away.db"
    away.mkdir()
    broken = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{away}"})
    async with open_platform(broken, "api") as platform, connect(create_app(platform, {})) as api:
        answers = [
            await api.get("/api/v1/executions"),
            await api.post("/api/v1/executions", json={"pipeline": "example.hello"}),
            await api.get("/api/v1/data/calcs/venue_share?tier=OTC&week_ending=2025-11-14"),
        ]
        alive = await api.get("/health")
    await drivers_ended()

    for answer in answers:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["error"]["code"] == "DATABASE_UNAVAILABLE"
        assert "away.db" not in answer.text
        assert "sqlite" not in answer.text.lower()
    assert alive.status_code == 200


async def test_a_database_without_a_schema_is_a_503_too(settings, connect, tmp_path):
    empty = settings.model_copy(update={"database_url": f"sqlite+aiosqlite:///{tmp_path}/new.db"})
    async with open_platform(empty, "api") as platform, connect(create_app(platform, {})) as api:
        answer = await api.get("/api/v1/executions")

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "SCHEMA_MISSING"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    stream = io.StringIO()
    configure_logging("api", stream=stream)
    yield stream
    root.setLevel(level)
    root.handlers[:] = handlers
    structlog.reset_defaults()


async def test_a_bug_of_ours_shows_nothing_of_itself_but_the_trace_id_the_log_has_it_under(
    app, api, log
):

    @app.get("/broken")
    async def broken() -> None:
        await asyncio.sleep(0)
        raise RuntimeError("the password is hunter2")

    answer = await api.get("/broken")

    assert answer.status_code == 500
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("INTERNAL", {})
    assert "hunter2" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    [line] = [json.loads(line) for line in log.getvalue().splitlines()]
    assert line["trace_id"] == error["trace_id"]
    assert re.search("RuntimeError", line["exception"])
