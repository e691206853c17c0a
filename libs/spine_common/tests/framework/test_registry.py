"""What the registry finds, and which declarations it refuses."""

import pytest

from spine_common.core.domain import Domain
from spine_common.core.errors import CalcNotFound, DomainNotFound, PipelineNotFound
from spine_common.core.pipeline import Pipeline, Stage
from spine_common.framework.registry import Registry, discover, get_pipeline, list_pipelines


def pipeline(name: str, *aliases: str) -> Pipeline:
    return Pipeline(name, Stage.AGGREGATE, "Made for a test.", aliases=aliases)


def domain(name: str, *pipelines: Pipeline) -> Domain:
    return Domain(name, "Made for a test.", pipelines)


def test_the_built_in_domains_are_discovered_with_their_aliases():
    assert {"finra.otc_transparency", "example"} <= set(discover().domains)
    assert "example.hello" in list_pipelines()
    assert get_pipeline("otc.ingest").name == "finra.otc_transparency.ingest_week"


def test_a_misspelt_pipeline_is_told_what_is_close():
    with pytest.raises(PipelineNotFound, match=r"otc\.ingest"):
        get_pipeline("otc.ingst")


def test_unknown_domains_and_calcs_are_answered_with_those_there_are():
    with pytest.raises(DomainNotFound, match=r"finra\.otc_transparency"):
        discover().domain("finra")
    with pytest.raises(CalcNotFound, match="venue_share_v1"):
        discover().calc("venue_share_v9")


def test_one_name_for_two_pipelines_is_refused():
    with pytest.raises(ValueError, match=r"'a\.run'"):
        Registry([domain("a", pipeline("a.run")), domain("b", pipeline("b.run", "a.run"))])


def test_two_domains_whose_captures_would_share_ids_are_refused():
    with pytest.raises(ValueError, match="end alike"):
        Registry([domain("one.trades"), domain("other.trades")])
