import asyncio
from datetime import date

import pytest

from spine_common.core.pipeline import TriggerSource
from spine_common.testing.synthetic import OTC, Week, write

WEEK = {"week_ending": "2025-11-14", "tier": "OTC"}
INGEST = "finra.otc_transparency.ingest_week"
PROCESS = "finra.otc_transparency.process_week"


async def order(api, pipeline=INGEST, params=None, *, headers=None, **more):
    body = {"pipeline": pipeline, "params": params or {}, **more}
    return await api.post("/api/v1/executions", json=body, headers=headers)


async def test_an_order_is_accepted_and_says_where_to_ask_for_it(api):
    answer = await order(api, params={**WEEK, "tier": "otce", "file_path": "week.csv"})

    assert answer.status_code == 202
    said = answer.json()
    assert said["id"] == said["execution_id"]
    assert said["status"] == "pending"
    assert said["poll_url"] == f"/api/v1/executions/{said['id']}" == answer.headers["location"]
    assert said["pipeline"] == INGEST
    assert said["params"]["tier"] == "OTC"
    assert (said["lane"], said["trigger_source"], said["attempt"]) == ("normal", "api", 1)
    assert said["partition"] == "week_ending=2025-11-14/tier=OTC"
    assert said["created_at"].endswith("Z")
    assert (await api.get(said["poll_url"])).json() == said


async def test_a_new_workflow_is_pending_and_so_is_its_first_step(api):
    said = (await order(api, PROCESS, {**WEEK, "file_path": "week.csv"})).json()
    children = (await api.get(f"{said['poll_url']}/children")).json()["children"]

    assert said["status"] == "pending"
    assert [(child["pipeline"], child["status"]) for child in children] == [(INGEST, "pending")]


async def test_an_order_for_nothing_that_lacks_it_is_skipped_at_once_and_says_so(api):
    assert (await order(api, "otc.normalize")).json()["status"] == "skipped"


async def test_the_pipeline_may_be_given_as_pipeline_name_and_by_an_alias(api):
    answer = await api.post("/api/v1/executions", json={"pipeline_name": "otc.ingest"})

    assert answer.status_code == 202
    assert answer.json()["pipeline"] == INGEST


async def test_two_spellings_of_the_pipeline_that_differ_are_refused(api):
    answer = await order(api, "otc.ingest", pipeline_name="example.hello")

    assert answer.status_code == 400
    assert "differ" in answer.json()["error"]["message"]


async def test_the_lane_is_the_one_asked_for(api):
    assert (await order(api, lane="backfill")).json()["lane"] == "backfill"


async def test_the_same_order_twice_is_one_execution(api):
    first, again = [await order(api, params=WEEK) for _ in range(2)]

    assert again.status_code == 202
    assert again.json()["id"] == first.json()["id"]
    assert len((await api.get("/api/v1/executions")).json()["executions"]) == 1


async def test_many_orders_at_once_under_one_key_are_one_execution(api):
    headers = {"Idempotency-Key": "monday"}
    answers = await asyncio.gather(*(order(api, params=WEEK, headers=headers) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_an_idempotency_key_stands_for_its_execution_after_that_has_ended(
    settings, everything, ended
):
    headers = {"Idempotency-Key": "monday"}
    async with everything(settings) as api:
        first = (await order(api, "example.hello", headers=headers)).json()
        await ended(api, first["poll_url"])
        again = (await order(api, "example.hello", headers=headers)).json()
        fresh = (await order(api, "example.hello")).json()

    assert (again["id"], again["status"]) == (first["id"], "completed")
    assert fresh["id"] != first["id"]


async def test_a_key_that_belongs_to_another_open_order_is_a_409_that_names_it(api):
    first = await order(api, params=WEEK, logical_key="monday")
    answer = await order(api, params={**WEEK, "tier": "T1"}, logical_key="monday")

    assert answer.status_code == 409
    error = answer.json()["error"]
    assert error["code"] == "DUPLICATE_IN_PROGRESS"
    assert error["details"]["execution_id"] == first.json()["id"]


@pytest.mark.parametrize("key", ["", "two words", "x" * 201, "step:0", "line\nbreak", "schlüssel"])
async def test_a_key_that_cannot_be_kept_or_is_a_workflows_own_is_refused(api, key):
    answer = await order(api, logical_key=key)

    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["field"] == "logical_key"


async def test_a_parameter_the_pipeline_cannot_take_is_refused_with_what_would_be_right(api):
    answer = await order(api, params={"week_ending": "2025-11-10", "tier": "OTC"})

    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "INVALID_DATE"
    assert error["details"]["field"] == "week_ending"
    assert error["details"]["value"] == "2025-11-10"
    assert "2025-11-14" in error["details"]["remedy"]
    assert (await api.get("/api/v1/executions")).json() == {"executions": []}


async def test_a_misspelt_parameter_is_refused_with_the_one_meant(api):
    error = (await order(api, params={"teir": "OTC"})).json()["error"]

    assert error["code"] == "INVALID_PARAMS"
    assert error["details"]["field"] == "teir"
    assert "Did you mean tier?" in error["message"]


async def test_an_unknown_pipeline_is_a_404_that_suggests_one(api):
    answer = await order(api, "exampel.hello")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "PIPELINE_NOT_FOUND"
    assert "example.hello" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "value",
    [
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        " HTTPS://example.test/x.csv",
        ["a", {"b": "s3://bucket/key"}],
    ],
)
async def test_no_parameter_carries_an_address(api, value):
    answer = await order(api, "example.hello", {"name": value})

    assert answer.status_code == 400
    assert "no address is fetched" in answer.json()["error"]["message"]
    assert answer.json()["error"]["details"]["field"] == "name"


@pytest.mark.parametrize("path", ["week.csv", "C:/week.csv", f"sha256:{'0' * 64}/week.csv"])
async def test_a_file_path_is_handed_on_as_it_is_given(api, path):
    assert (await order(api, params={"file_path": path})).json()["params"]["file_path"] == path


@pytest.mark.parametrize("text", [r"a\u0000b", r"\ud800"])
async def test_text_no_database_keeps_is_refused(api, text):
    body = f'{{"pipeline": "example.hello", "params": {{"name": "{text}"}}}}'
    headers = {"Content-Type": "application/json"}
    answer = await api.post("/api/v1/executions", content=body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["field"] == "name"


async def test_a_command_too_large_for_the_broker_is_refused_and_leaves_nothing(api):
    answer = await order(api, "example.hello", {"name": "x" * 70_000})

    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "PARAMS_TOO_LARGE"
    assert (await api.get("/api/v1/executions")).json() == {"executions": []}


async def test_executions_are_listed_newest_first_by_status_and_pipeline(api):
    hello = (await order(api, "example.hello")).json()
    ingest = (await order(api, params=WEEK)).json()
    await order(api, "otc.normalize")

    async def listed(query):
        found = (await api.get(f"/api/v1/executions{query}")).json()["executions"]
        return [execution["id"] for execution in found]

    assert await listed("?status=pending") == [ingest["id"], hello["id"]]
    assert await listed("?status=pending&limit=1") == [ingest["id"]]
    assert await listed("?pipeline=otc.ingest") == [ingest["id"]]
    assert await listed("?status=failed") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("sttaus=x", "sttaus"),
        ("status=failed&status=pending", "status"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused_rather_than_ignored(api, query, field):
    answer = await api.get(f"/api/v1/executions?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "INVALID_PARAMS"
    assert answer.json()["error"]["details"]["field"] == field


async def test_a_list_for_an_unknown_pipeline_is_a_404(api):
    answer = await api.get("/api/v1/executions?pipeline=nothing")

    assert answer.json()["error"]["code"] == "PIPELINE_NOT_FOUND"


@pytest.mark.parametrize("tail", ["", "/events", "/children"])
@pytest.mark.parametrize("name", ["019a8e4c-7d1e-7c4b-9c55-5a1e0c0d2b11", "x", "%00", "a" * 500])
async def test_an_execution_that_is_not_there_is_a_404_with_everything_under_it(api, name, tail):
    answer = await api.get(f"/api/v1/executions/{name}{tail}")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "EXECUTION_NOT_FOUND"


async def test_an_order_says_what_was_submitted_as_its_first_event(api):
    said = (await order(api, params=WEEK)).json()
    events = (await api.get(f"{said['poll_url']}/events")).json()

    assert events["execution_id"] == said["id"]
    assert [(event["seq"], event["type"]) for event in events["events"]] == [(1, "submitted")]
    assert events["events"][0]["payload"]["trigger_source"] == TriggerSource.API


async def test_a_week_goes_all_the_way_from_the_order_to_its_numbers(
    on_either_database, everything, ended, tmp_path
):
    week = Week(date(2025, 11, 14), OTC, rows=30)
    params = {**WEEK, "file_path": write(week, tmp_path).name}
    async with everything(on_either_database) as api:
        said = (await order(api, PROCESS, params)).json()
        done = await ended(api, said["poll_url"])
        children = (await api.get(f"{said['poll_url']}/children")).json()
        events = (await api.get(f"{said['poll_url']}/events")).json()["events"]
        numbers = await api.get("/api/v1/data/calcs/venue_share", params=WEEK)
        again = (await order(api, PROCESS, params)).json()
        seen_again = await ended(api, again["poll_url"])

    assert done["status"] == "completed"
    steps = [child["pipeline"].rpartition(".")[-1] for child in children["children"]]
    assert steps == ["ingest_week", "normalize_week", "aggregate_week"]
    assert {child["parent_id"] for child in children["children"]} == {said["id"]}
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "completed"
    assert numbers.json()["readiness"]["is_ready"]
    assert numbers.json()["capture"]["capture_id"] == done["result"]["capture_id"]
    assert again["id"] != said["id"]
    assert seen_again["result"]["capture_id"] == done["result"]["capture_id"]


async def test_an_execution_that_is_given_up_says_why(settings, everything, ended):
    async with everything(settings) as api:
        said = (await order(api, params={**WEEK, "file_path": "missing.csv"})).json()
        done = await ended(api, said["poll_url"])

    assert done["status"] == "dead_lettered"
    assert done["error_code"] == "SOURCE_NOT_FOUND"
    assert "missing.csv" in done["error"]
