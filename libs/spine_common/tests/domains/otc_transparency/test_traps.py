"""Files made to harm, or harmed on their way: refused early, or never called right."""

import gzip

import pytest

from spine_common.core.errors import OutOfRange, SourceFormat, SourceTooLarge
from spine_common.core.source import SourceFile
from spine_common.domains.finra.otc_transparency import parse
from spine_common.domains.finra.otc_transparency.calcs import CALCS
from spine_common.domains.finra.otc_transparency.parse import parse_weekly_file

WEEK = {"week_ending": "2025-11-14", "tier": "OTC"}


def failed(result):
    return {check.name for check in result.checks if check.failed}


def test_a_file_that_ends_in_the_middle_of_a_line_is_never_right(build):
    whole = build.download(*(build.row(f"S{n}") for n in range(5)))
    torn = SourceFile(whole.name, whole.content[:-20])
    assert failed(build.normalized(whole)) == set()
    assert failed(build.normalized(torn)) == {"file_complete"}


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x00" * (2 << 20), "a line"),
        (b"\n" * 5_000_001, "lines"),
        (b"a|b\n" * 3 + b"x" * (2 << 20), "a line"),
    ],
    ids=["one line of nothing", "nothing but lines", "a long last line"],
)
def test_a_small_file_that_unpacks_to_a_monster_is_refused(content, what):
    packed = gzip.compress(content, mtime=0)
    assert len(packed) < 40_000
    with pytest.raises(SourceTooLarge, match=what):
        parse_weekly_file(SourceFile("bomb.csv.gz", packed), WEEK)


def test_more_than_the_cap_is_refused_plain_or_packed(monkeypatch):
    monkeypatch.setattr(parse, "MAX_UNPACKED_BYTES", 1000)
    for content in (b"x\n" * 1000, gzip.compress(b"x\n" * 1_000_000)):
        with pytest.raises(SourceTooLarge):
            parse_weekly_file(SourceFile("big.csv", content), WEEK)


def test_what_an_unknown_file_holds_is_not_repeated():
    with pytest.raises(SourceFormat) as refused:
        parse_weekly_file(SourceFile("x.csv", b"API_KEY=s3cr3t\nMORE=1\n"), WEEK)
    assert "s3cr3t" not in str(refused.value)


@pytest.mark.parametrize(
    "venue", ["X" * 17, "A\x1b[31m", "A B"], ids=["long", "terminal code", "space"]
)
def test_a_venue_code_no_venue_has_is_a_reject(build, venue):
    result = build.normalized(build.download(build.row("GOOD"), build.row("BAD", mpid=venue)))
    assert result.rejected["reason"].to_list() == ["invalid_venue"]
    assert result.accepted["symbol"].to_list() == ["GOOD"]


def test_sums_no_database_keeps_are_refused_in_our_words(build):
    rows = (build.row(f"S{n}", shares="999999999999.999999") for n in range(60))
    accepted = build.normalized(build.download(*rows)).accepted
    by_venue = next(calc for calc in CALCS if calc.name == "venue_share")
    with pytest.raises(OutOfRange, match="total_volume"):
        by_venue.dataset.conform(by_venue.compute(accepted))
