"""Made-up weeks: the same everywhere, shaped like FINRA's, wrong only where asked."""

import csv
import gzip
import hashlib
import io
from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from spine_common.testing.synthetic import (
    NMS_TIER_1,
    NMS_TIER_2,
    OTC,
    Defect,
    Format,
    Week,
    file_name,
    frame,
    published_on,
    render,
    restated,
    withdrawn,
    write,
)

WEEK = date(2025, 11, 14)
NEXT = date(2025, 11, 21)
SMALL = Week(WEEK, OTC, rows=50)


def lines(week: Week) -> list[str]:
    return render(week).decode().splitlines()


@pytest.mark.parametrize(
    ("week", "digest"),
    [
        (Week(WEEK, NMS_TIER_1, rows=400), "c3070b4d489b9b19"),
        (Week(WEEK, OTC, seed=7), "276b16c3438975fb"),
        (Week(WEEK, NMS_TIER_2, rows=300, format=Format.API, non_ats=True), "953dad4b33e7feb9"),
        (Week(WEEK, OTC, rows=300, defects=dict.fromkeys(Defect, 2)), "8a38222ac4434cd6"),
    ],
    ids=["tier 1", "whole OTC week", "API with firms", "every defect"],
)
def test_the_same_week_has_the_same_bytes_on_every_machine(week, digest):
    assert hashlib.sha256(render(week)).hexdigest()[:16] == digest


def test_another_seed_is_another_market():
    assert render(SMALL) != render(replace(SMALL, seed=2))


@pytest.mark.parametrize("tier", [NMS_TIER_1, NMS_TIER_2, OTC])
@pytest.mark.parametrize("rows", [1, 7, 1_234, 60_000])
def test_a_week_has_exactly_the_rows_asked_for_and_no_key_twice(tier, rows):
    week = frame(Week(WEEK, tier, rows=rows))
    assert week.height == rows
    assert week.select("symbol", "mpid").n_unique() == rows
    assert week["shares"].min() >= 1
    assert (week["trades"] <= week["shares"]).all()


def test_a_tier_1_week_has_the_size_of_finras():
    week = frame(Week(WEEK, NMS_TIER_1))
    assert 45_000 < week.height < 55_000
    assert 2_300 < week["symbol"].n_unique() < 2_500
    assert week["mpid"].n_unique() == 40


def test_an_otc_week_has_the_shape_of_finras(finra_files):
    def portrait(rows: pl.DataFrame) -> dict[str, float]:
        venues_of = rows.group_by("symbol").len()["len"]
        by_venue = rows.group_by("mpid").agg(pl.col("shares").sum())["shares"]
        return {
            "rows": rows.height / 1_000,
            "single-venue symbols": (venues_of == 1).mean() * 10,
            "largest venue": by_venue.max() / by_venue.sum() * 10,
            "median volume": rows["shares"].median() / 1_000,
            "share of the top hundredth": _top(rows["shares"]) * 10,
        }

    real = pl.read_csv(
        finra_files / "finra_otc_weekly_otc_20251215.csv", separator="|", quote_char=None
    ).select(symbol="issueSymbolIdentifier", mpid="MPID", shares="totalWeeklyShareQuantity")
    ours = portrait(frame(Week(WEEK, OTC)))
    assert ours == pytest.approx(portrait(real), rel=0.35)


def _top(shares: pl.Series) -> float:
    return shares.top_k(len(shares) // 100).sum() / shares.sum()


@pytest.mark.parametrize(("tier", "least", "most"), [(NMS_TIER_1, 0.001, 0.02), (OTC, 0.21, 0.28)])
def test_symbols_vanish_from_week_to_week_as_in_finras_files(tier, least, most):
    now, then = (set(frame(Week(day, tier))["symbol"]) for day in (WEEK, NEXT))
    assert least < len(now - then) / len(now) < most


def test_a_symbol_keeps_its_character_from_week_to_week():
    now, then = (frame(Week(day, NMS_TIER_1)) for day in (WEEK, NEXT))
    both = now.join(then, on=["symbol", "mpid"], suffix="_then")
    change = (both["shares_then"] / both["shares"]).median()
    assert 0.8 < change < 1.25
    assert (both["issue_name"] == both["issue_name_then"]).all()


def test_symbols_differ_by_case_and_carry_points():
    symbols = set(frame(Week(WEEK, NMS_TIER_1))["symbol"])
    preferred = {symbol for symbol in symbols if "p" in symbol}
    assert any(symbol.upper() in symbols for symbol in preferred)
    assert any("." in symbol for symbol in symbols)


def test_a_bare_quote_is_data_in_the_download_and_escaped_for_the_api():
    week = Week(WEEK, NMS_TIER_1, rows=2_000)
    quoted = [line for line in lines(week) if '"' in line]
    assert quoted
    assert all(line.count('"') == 1 for line in quoted)

    api = csv.DictReader(io.StringIO(render(replace(week, format=Format.API)).decode()))
    assert [row["issueName"] for row in api] == frame(week)["issue_name"].to_list()


def test_some_symbols_are_in_both_tiers_in_the_same_week():
    one, two = (set(frame(Week(WEEK, tier))["symbol"]) for tier in (NMS_TIER_1, NMS_TIER_2))
    assert 200 < len(one & two) < 600


def test_the_formats_say_the_same_numbers():
    week = Week(WEEK, OTC, rows=200)
    weekly = [line.split("|") for line in lines(week)[1:]]
    short = [line.split("|") for line in lines(replace(week, format=Format.SHORT))[1:]]
    api = list(csv.DictReader(io.StringIO(render(replace(week, format=Format.API)).decode())))
    assert [(row[1], row[4], row[5], row[6]) for row in weekly] == [
        (row[2], row[3], row[4], row[5]) for row in short
    ]
    assert [(row[1], row[5]) for row in weekly] == [
        (row["issueSymbolIdentifier"], row["totalWeeklyShareQuantity"]) for row in api
    ]


def test_firms_without_an_mpid_are_told_apart_by_their_number():
    week = frame(Week(WEEK, NMS_TIER_1, format=Format.API, non_ats=True))
    firms = week.filter(pl.col("mpid").is_null())
    de_minimis = firms.filter(pl.col("firm") == 0)
    assert firms.select("symbol", "firm").is_unique().all()
    assert set(de_minimis["venue"]) == {"De Minimis Firms"}
    assert 0.2 < de_minimis["shares"].sum() / firms["shares"].sum() < 0.4
    with pytest.raises(ValueError, match=r"Format\.API"):
        Week(WEEK, OTC, non_ats=True)


@pytest.mark.parametrize(
    ("tier", "name"),
    [
        (NMS_TIER_1, "finra_otc_weekly_tier1_20251201.csv"),
        (NMS_TIER_2, "finra_otc_weekly_tier2_20251215.csv"),
        (OTC, "finra_otc_weekly_otc_20251215.csv"),
    ],
)
def test_a_file_is_named_by_tier_and_publication(tier, name):
    assert file_name(Week(WEEK, tier)) == name


def test_a_restatement_changes_one_volume_and_the_date():
    before = lines(SMALL)
    week = restated(SMALL, line=5, shares=42, updated=date(2026, 1, 9))
    after = lines(week)
    changed = [
        n
        for n, pair in enumerate(zip(before, after, strict=True), 1)
        if pair[0].split("|")[:7] != pair[1].split("|")[:7]
    ]
    assert changed == [5]
    assert after[4].split("|")[5] == "42"
    assert {line.split("|")[7] for line in after[1:]} == {"2026-01-09"}
    assert published_on(week) == date(2025, 12, 15)


def test_a_withdrawn_row_is_gone_and_the_others_stay():
    before, after = lines(SMALL), lines(withdrawn(SMALL, line=3))
    assert after == before[:2] + before[3:]


def test_a_compressed_file_holds_the_same_bytes(tmp_path):
    plain, packed = write(SMALL, tmp_path), write(SMALL, tmp_path, gz=True)
    assert packed.name == f"{plain.name}.gz"
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes() == render(SMALL)


@pytest.mark.parametrize(
    ("defect", "field", "matches"),
    [
        (Defect.BLANK_SYMBOL, 1, r"^$"),
        (Defect.LOWER_CASE_SYMBOL, 1, r"^[a-z]+$"),
        (Defect.NEGATIVE, 5, r"^-\d+$"),
        (Defect.TEXT_QUANTITY, 5, r"^n/a$"),
        (Defect.DECIMAL, 5, r"^\d+\.\d{6}$"),
        (Defect.TOO_MANY_PLACES, 5, r"^\d+\.\d{7}$"),
        (Defect.UNKNOWN_TIER, 0, r"^NMS Tier 9$"),
    ],
)
def test_exactly_the_lines_asked_for_have_the_defect(defect, field, matches):
    fields = pl.Series(
        [line.split("|")[field] for line in lines(replace(SMALL, defects={defect: 3}))[1:]]
    )
    assert fields.str.contains(matches).sum() == 3
    assert len(fields) == 50


def test_a_duplicate_follows_its_line_whole_or_with_another_volume():
    same = lines(replace(SMALL, defects={Defect.DUPLICATE: 4}))
    assert len(same) == 55
    assert len(set(same)) == 51
    other = [
        line.split("|") for line in lines(replace(SMALL, defects={Defect.CONFLICTING_DUPLICATE: 4}))
    ]
    keys = [(row[1], row[4]) for row in other]
    assert len(other) == 55
    assert len(set(keys)) == 51


def test_a_torn_file_ends_in_the_middle_of_its_last_line():
    whole, torn = render(SMALL), render(replace(SMALL, defects={Defect.TORN_LAST_LINE: 1}))
    assert whole.startswith(torn)
    assert torn.splitlines()[-1].count(b"|") < 7


def test_bytes_can_be_wrong_where_text_is_right():
    content = render(replace(SMALL, defects={Defect.INVALID_UTF8: 2, Defect.EXTRA_FIELD: 1}))
    assert content.count(b"\xff") == 2
    assert sum(line.count(b"|") == 8 for line in content.splitlines()) == 1


def test_a_file_can_come_from_windows_and_from_the_future():
    whole = {Defect.BOM: 1, Defect.CRLF: 1, Defect.EXTRA_COLUMN: 2, Defect.NO_FINAL_NEWLINE: 1}
    content = render(replace(SMALL, defects=whole))
    assert content.startswith(b"\xef\xbb\xbftierDescription|")
    assert content.count(b"\r\n") == content.count(b"\n") == 50
    assert {line.count(b"|") for line in content.splitlines()} == {9}


def test_more_defects_than_rows_are_refused():
    with pytest.raises(ValueError, match="50 defects"):
        render(replace(SMALL, defects={Defect.NEGATIVE: 50}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"week_ending": date(2025, 11, 10)}, "no Friday"),
        ({"tier": "T1"}, "no tier"),
        ({"rows": 0}, "at least one row"),
    ],
)
def test_a_week_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **arguments)
