"""Which commands the domain takes, and which parameters it refuses."""

import pytest

from spine_common.core.errors import InvalidDate, InvalidParams, InvalidTier
from spine_common.core.pipeline import Stage
from spine_common.domains.finra.otc_transparency import otc_transparency

PIPELINES = {pipeline.name.rsplit(".", 1)[1]: pipeline for pipeline in otc_transparency.pipelines}


def test_processing_a_week_is_ingesting_normalizing_and_aggregating_it():
    steps = [PIPELINES[step.rsplit(".", 1)[1]] for step in PIPELINES["process_week"].steps]
    assert [step.stage for step in steps] == [Stage.INGEST, Stage.NORMALIZE, Stage.AGGREGATE]
    assert [step.aliases for step in steps] == [
        ("otc.ingest",),
        ("otc.normalize",),
        ("otc.summarize",),
    ]


def test_parameters_are_read_to_their_canonical_form():
    given = {"week_ending": "2025-11-14", "tier": "t1", "file_path": "data/w.csv", "force": "yes"}
    assert PIPELINES["process_week"].read_params(given) == {
        "week_ending": "2025-11-14",
        "tier": "NMS_TIER_1",
        "file_path": "data/w.csv",
        "source": "file",
        "force": True,
    }


def test_nothing_is_required_since_the_file_can_tell_its_week():
    assert PIPELINES["normalize_week"].read_params({}) == {"force": False}


@pytest.mark.parametrize(
    ("pipeline", "given", "error"),
    [
        ("process_week", {"tier": "T7"}, InvalidTier),
        ("process_week", {"week_ending": "2025-11-10"}, InvalidDate),
        ("ingest_week", {"source": "ftp"}, InvalidParams),
        ("ingest_week", {"file_path": "http://169.254.169.254/x"}, InvalidParams),
        ("ingest_week", {"file_path": "w.csv\x00.txt"}, InvalidParams),
        ("ingest_week", {"file_path": " "}, InvalidParams),
        ("normalize_week", {"capture_id": "../../etc/passwd"}, InvalidParams),
        ("normalize_week", {"capture_id": "a" * 121}, InvalidParams),
        ("aggregate_week", {"capture_id": "v1\n"}, InvalidParams),
        ("aggregate_week", {"force": "perhaps"}, InvalidParams),
    ],
)
def test_a_parameter_that_can_t_be_is_refused_by_name(pipeline, given, error):
    with pytest.raises(error, match=next(iter(given))):
        PIPELINES[pipeline].read_params(given)


def test_the_domain_s_tables_are_those_it_declares():
    assert [dataset.table for dataset in otc_transparency.datasets] == [
        "otc_raw",
        "otc_venue_volume",
        "otc_symbol_summary",
        "otc_venue_share",
        "otc_symbol_concentration",
    ]
