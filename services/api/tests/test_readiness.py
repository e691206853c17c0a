from spine_api.readiness import readiness
from spine_common.core.pipeline import Stage
from spine_common.core.quality import CheckStatus
from spine_common.framework.registry import discover

DOMAIN = discover().domain("finra.otc_transparency")
CALCS = DOMAIN.versions(Stage.AGGREGATE)
ALL = {stage: DOMAIN.versions(stage) for stage in (Stage.INGEST, Stage.NORMALIZE, Stage.AGGREGATE)}


def checked(status: CheckStatus) -> dict[str, str]:
    said = {"name": "venues", "stage": "aggregate", "expected": "9", "observed": "4", "detail": ""}
    return {**said, "status": status.value}


def test_a_capture_with_every_stage_done_is_ready_for_every_calc():
    judged = readiness(DOMAIN, ALL, [checked(CheckStatus.PASSED)])

    assert judged.is_ready
    assert judged.ready_for == sorted(CALCS)


def test_each_stage_that_is_not_done_is_an_issue_of_its_own():
    judged = readiness(DOMAIN, {Stage.INGEST: frozenset({"v1"})}, [])

    assert not judged.is_ready
    assert [issue.stage for issue in judged.blocking_issues] == [Stage.NORMALIZE, Stage.AGGREGATE]
    assert {issue.code for issue in judged.blocking_issues} == {"STAGE_INCOMPLETE"}


def test_a_calc_that_is_missing_is_named_and_the_others_may_be_used():
    done = CALCS - {"venue_share_v1"}
    judged = readiness(DOMAIN, {**ALL, Stage.AGGREGATE: done}, [])

    [issue] = judged.blocking_issues
    assert "venue_share_v1" in issue.message
    assert judged.ready_for == sorted(done)


def test_a_failed_check_blocks_every_calc_while_a_warning_blocks_nothing():
    assert readiness(DOMAIN, ALL, [checked(CheckStatus.WARNED)]).is_ready

    judged = readiness(DOMAIN, ALL, [checked(CheckStatus.FAILED)])
    assert judged.ready_for == []
    assert [issue.code for issue in judged.blocking_issues] == ["CHECK_FAILED"]
