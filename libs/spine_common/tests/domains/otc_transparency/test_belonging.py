"""Which week and tier a file is taken for, and when it is refused instead."""

import pytest

from spine_common.core.errors import (
    InvalidDate,
    InvalidTier,
    PartitionAmbiguous,
    PartitionContradicted,
)
from spine_common.domains.finra.otc_transparency.parse import parse_weekly_file


def partition_of(source, **known):
    return parse_weekly_file(source, known).partition.slug


def test_a_download_s_week_comes_from_its_publication_day(build):
    assert partition_of(build.download(build.row())) == "2025-11-14.OTC"


def test_tier_1_is_published_two_weeks_sooner(build):
    source = build.download(build.row(tier="NMS Tier 1"))
    assert partition_of(source) == "2025-11-28.NMS_TIER_1"


def test_a_holiday_slip_is_undone(build):
    source = build.download(build.row(updated="2026-01-20"), name="week.csv")
    assert partition_of(source) == "2025-12-19.OTC"


def test_the_date_in_the_name_will_do(build):
    source = build.download(build.row(updated=""), name="x_20251222.csv.gz")
    assert partition_of(source) == "2025-11-21.OTC"


def test_the_week_asked_for_wins_over_a_restated_download_s_dates(build):
    source = build.download(build.row("A"), build.row("B", updated="2025-12-19"))
    assert partition_of(source, week_ending="2025-11-14") == "2025-11-14.OTC"


@pytest.mark.parametrize(
    ("updated", "name", "named"),
    [
        (("2025-12-15", "2025-12-19"), "week.csv", "2025-12-19"),
        (("2025-12-15", "2025-12-15"), "w_20251222.csv", "2025-12-22"),
        (("2025-12-17", "2025-12-17"), "week.csv", "first published on 2025-12-17"),
        (("", ""), "week.csv", "neither its lines nor its name"),
    ],
)
def test_a_download_that_leaves_its_week_open_is_asked_for_it(build, updated, name, named):
    rows = [build.row(symbol, updated=day) for symbol, day in zip("AB", updated, strict=True)]
    with pytest.raises(PartitionAmbiguous, match=named) as raised:
        partition_of(build.download(*rows, name=name))
    assert "week_ending" in raised.value.remedy


def test_another_tier_than_asked_for_is_refused_with_both_named(build):
    with pytest.raises(PartitionContradicted, match="not of tier NMS_TIER_1: line 2 says OTC"):
        partition_of(build.download(build.row()), tier="NMS_TIER_1")


@pytest.mark.parametrize(
    ("known", "error"), [({}, PartitionAmbiguous), ({"tier": "OTC"}, PartitionContradicted)]
)
def test_a_file_of_two_tiers_is_refused(build, known, error):
    rows = [*(build.row(str(i)) for i in range(9)), build.row("X", tier="NMS Tier 2")]
    with pytest.raises(error, match=r"NMS_TIER_2") as raised:
        partition_of(build.download(*rows), **known)
    assert "11" in str(raised.value)
    assert "split it" in raised.value.remedy


def test_a_garbled_tier_is_its_line_s_fault_and_not_the_file_s(build):
    source = build.download(build.row("A", tier="0TC"), build.row("B"), "NMS Tier 1|torn")
    assert partition_of(source) == "2025-11-14.OTC"


def test_a_file_of_unknown_tiers_alone_is_refused(build):
    with pytest.raises(InvalidTier, match="tierDescription of line 2 is 'T9'") as raised:
        partition_of(build.download(build.row(tier="T9")), tier="OTC")
    assert "NMS_TIER_1, NMS_TIER_2, OTC" in raised.value.remedy


def test_an_api_file_says_its_week_by_the_monday(build):
    assert partition_of(build.api_csv({})) == "2025-11-14.NMS_TIER_1"


def test_a_short_file_says_its_week_by_the_friday(build):
    source = build.short_form("2025-11-14|T2|ACME|VENA|100|4")
    assert partition_of(source) == "2025-11-14.NMS_TIER_2"


def test_another_week_than_asked_for_is_refused_with_both_named(build):
    with pytest.raises(PartitionContradicted, match="2025-11-21: line 2 says 2025-11-14"):
        partition_of(build.api_csv({}), week_ending="2025-11-21")


def test_a_file_of_two_weeks_is_refused(build):
    source = build.api_csv({}, {"weekStartDate": "2025-11-17"})
    with pytest.raises(PartitionAmbiguous, match=r"2025-11-14 \(line 2\), 2025-11-21 \(line 3\)"):
        partition_of(source)


def test_rows_of_excluded_summaries_have_no_say(build):
    excluded = {"summaryTypeCode": "OTC_W_VOL_STATS", "tierIdentifier": "T2"}
    assert partition_of(build.api_csv(excluded, {})) == "2025-11-14.NMS_TIER_1"


def test_a_short_file_dated_by_mondays_is_told_the_friday_meant(build):
    with pytest.raises(InvalidDate, match="WeekEnding of line 2 is '2025-11-10'") as raised:
        partition_of(build.short_form("2025-11-10|T2|ACME|VENA|100|4"))
    assert "2025-11-14" in raised.value.remedy
