from spine_common.framework.registry import list_pipelines


async def test_every_pipeline_is_listed_by_name(api):
    listed = (await api.get("/api/v1/pipelines")).json()["pipelines"]

    assert [pipeline["name"] for pipeline in listed] == list_pipelines()


async def test_a_prefix_chooses_pipelines(api):
    listed = (await api.get("/api/v1/pipelines?prefix=example.")).json()["pipelines"]

    assert [pipeline["name"] for pipeline in listed] == ["example.hello"]


async def test_a_pipeline_says_what_it_takes(api):
    shown = (await api.get("/api/v1/pipelines/finra.otc_transparency.process_week")).json()

    params = {param["name"]: param for param in shown["params"]}
    assert params["tier"]["choices"] == ["NMS_TIER_1", "NMS_TIER_2", "OTC"]
    assert params["week_ending"]["type"] == "date"
    assert (params["force"]["default"], params["force"]["required"]) == (False, False)
    assert shown["partition"] == ["week_ending", "tier"]
    assert len(shown["steps"]) == 3


async def test_an_alias_shows_the_pipeline_it_means(api):
    shown = (await api.get("/api/v1/pipelines/otc.ingest")).json()

    assert shown["name"] == "finra.otc_transparency.ingest_week"
    assert "otc.ingest" in shown["aliases"]


async def test_a_pipeline_that_is_not_there_is_a_404(api):
    answer = await api.get("/api/v1/pipelines/nothing")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "PIPELINE_NOT_FOUND"
