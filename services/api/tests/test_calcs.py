from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from spine_common.domains.finra.otc_transparency.calcs import CALCS

URL = "/api/v1/data/calcs"
WEEK = {"week_ending": "2025-11-14", "tier": "OTC"}


async def rows(data, name="symbol_summary", **query):
    answer = await data.get(f"{URL}/{name}", params={**WEEK, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def refused(data, name="symbol_summary", **query):
    answer = await data.get(f"{URL}/{name}", params={**WEEK, **query})
    return answer.status_code, answer.json()["error"]


async def captures(data):
    """Return the ids of the first week's two captures, older first, and when the older was."""
    latest = (await rows(data))["capture"]["capture_id"]
    older_id = latest.replace(".v2.", ".v1.").rsplit(".", 1)[0]
    found = (await data.get("/api/v1/executions?limit=1000")).json()["executions"]
    older = next(
        one["result"]["capture_id"]
        for one in found
        if (one["result"].get("capture_id") or "").startswith(older_id)
    )
    answer = (await data.get(f"{URL}/symbol_summary", params={"capture_id": older})).json()
    return older, latest, datetime.fromisoformat(answer["capture"]["captured_at"])


async def test_every_calc_is_listed_with_its_columns_and_what_they_are_in_json(data):
    listed = {calc["versioned_name"]: calc for calc in (await data.get(URL)).json()["calcs"]}

    assert set(listed) == {calc.versioned_name for calc in CALCS}
    share = listed["venue_share_v1"]
    assert (share["is_current"], share["deprecated"], share["version"]) == (True, False, 1)
    assert share["partition"] == ["week_ending", "tier"]
    types = {column["name"]: column["json_type"] for column in share["columns"]}
    assert types["total_volume"] == "string"
    assert types["total_trades"] == "integer"
    assert types["share"] == "number"


async def test_an_answer_carries_its_whole_pedigree(data):
    answer = await rows(data, "venue_share")

    assert set(answer) == {
        "calc_name",
        "calc_version",
        "calc_deprecated",
        "deprecation_message",
        "query_time",
        "capture",
        "readiness",
        "rows",
        "pagination",
    }
    assert (answer["calc_name"], answer["calc_version"]) == ("venue_share", 1)
    assert (answer["calc_deprecated"], answer["deprecation_message"]) == (False, None)
    assert datetime.fromisoformat(answer["query_time"]).utcoffset() == timedelta(0)
    capture = answer["capture"]
    assert capture["is_latest"]
    assert capture["latest_capture_id"] == capture["capture_id"]
    assert capture["source"]["name"] == "finra_otc_weekly_otc_20251229.csv"
    assert capture["source"]["updated_on"] == "2025-12-29"
    assert len(capture["source"]["sha256"]) == 64
    assert answer["readiness"] == {
        "is_ready": True,
        "ready_for": sorted(calc.versioned_name for calc in CALCS),
        "blocking_issues": [],
    }


async def test_quantities_are_exact_text_while_counts_and_ratios_are_numbers(data):
    found = (await rows(data, "venue_share", limit=1000))["rows"]
    volumes = [row["total_volume"] for row in found]

    assert all(isinstance(volume, str) for volume in volumes)
    assert any("." in volume for volume in volumes)
    assert all(volume == volume.rstrip("0") for volume in volumes if "." in volume)
    assert all(type(row["rank"]) is int and type(row["share"]) is float for row in found)
    assert abs(sum(row["share"] for row in found) - 1) < 1e-9
    assert sum(map(Decimal, volumes)) == sum(
        Decimal(row["total_volume"]) for row in (await rows(data, limit=1000))["rows"]
    )


async def test_a_versioned_name_answers_as_the_bare_one_does(data):
    assert (await rows(data, "venue_share_v1"))["rows"] == (await rows(data, "venue_share"))["rows"]


async def test_a_tier_may_be_spelled_as_people_spell_it(data):
    assert (await rows(data, tier="otce"))["rows"] == (await rows(data))["rows"]


async def test_pages_add_up_to_the_whole_and_say_when_there_is_more(data):
    whole = await rows(data, limit=1000)
    total = whole["pagination"]["total"]
    assert whole["pagination"] == {"offset": 0, "limit": 1000, "total": total, "has_more": False}

    pages = [await rows(data, limit=7, offset=offset) for offset in range(0, total, 7)]
    assert [row for page in pages for row in page["rows"]] == whole["rows"]
    assert [page["pagination"]["has_more"] for page in pages] == [True] * (len(pages) - 1) + [False]
    assert (await rows(data, offset=total))["rows"] == []


async def test_without_a_limit_a_page_has_fifty_rows_at_most(data):
    assert (await rows(data))["pagination"]["limit"] == 50


async def test_rows_come_in_the_order_asked_for(data):
    by_volume = (await rows(data, order_by="total_volume:desc", limit=1000))["rows"]
    volumes = [Decimal(row["total_volume"]) for row in by_volume]
    assert volumes == sorted(volumes, reverse=True)

    by_both = (await rows(data, order_by="venue_count:desc,symbol:asc", limit=1000))["rows"]
    assert by_both == sorted(by_both, key=lambda row: (-row["venue_count"], row["symbol"]))


async def test_a_symbol_is_found_in_its_own_case_only(data):
    symbol = (await rows(data))["rows"][0]["symbol"]

    assert [row["symbol"] for row in (await rows(data, symbol=symbol))["rows"]] == [symbol]
    assert (await rows(data, symbol=symbol.swapcase()))["rows"] == []


async def test_a_venue_filters_where_the_rows_have_one_and_is_refused_where_not(data):
    venue = (await rows(data, "venue_share"))["rows"][0]["venue"]
    assert len((await rows(data, "venue_share", venue=venue))["rows"]) == 1

    status, error = await refused(data, venue=venue)
    assert (status, error["code"], error["details"]["field"]) == (400, "INVALID_PARAMS", "venue")


async def test_an_older_capture_answers_by_its_id_and_says_it_is_not_the_latest(data):
    older, latest, _ = await captures(data)
    answer = (await data.get(f"{URL}/symbol_summary", params={"capture_id": older})).json()

    assert answer["capture"]["capture_id"] == older
    assert not answer["capture"]["is_latest"]
    assert answer["capture"]["latest_capture_id"] == latest
    assert answer["readiness"]["is_ready"]
    assert answer["rows"] != (await rows(data))["rows"]


async def test_as_of_a_moment_the_capture_known_then_answers(data):
    older, latest, first_seen = await captures(data)

    async def known(moment):
        return (await rows(data, as_of=moment))["capture"]["capture_id"]

    assert await known(first_seen.isoformat()) == older
    assert await known(first_seen.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == older
    last_seen = datetime.fromisoformat((await rows(data))["capture"]["captured_at"])
    assert await known(last_seen.strftime("%Y-%m-%d")) == latest
    assert await known("2999-01-01T00:00:00") == latest


async def test_before_the_first_capture_nothing_was_known(data):
    _, _, first_seen = await captures(data)
    status, error = await refused(data, as_of=(first_seen - timedelta(seconds=1)).isoformat())

    assert (status, error["code"]) == (404, "CAPTURE_NOT_FOUND")


async def test_a_failed_check_blocks_readiness_and_says_which(data):
    readiness = (await rows(data, week_ending="2025-11-21"))["readiness"]

    assert not readiness["is_ready"]
    assert readiness["ready_for"] == []
    [issue] = readiness["blocking_issues"]
    assert (issue["code"], issue["stage"]) == ("CHECK_FAILED", "normalize")
    assert "venues_seen" in issue["message"]


async def test_numbers_not_computed_yet_are_a_409_and_not_an_empty_answer(data):
    status, error = await refused(data, week_ending="2025-11-28")

    assert (status, error["code"]) == (409, "DATA_NOT_READY")
    assert error["details"]["capture_id"].startswith("otc_transparency.2025-11-28.OTC.v1")
    assert len(error["details"]["blocking_issues"]) == 2


async def test_a_week_nobody_captured_is_a_404(data):
    status, error = await refused(data, week_ending="2025-10-31")

    assert (status, error["code"]) == (404, "CAPTURE_NOT_FOUND")


async def test_a_calc_or_a_version_that_is_not_there_is_a_404_that_lists_what_is(data):
    for name in ("venue_shares", "venue_share_v9"):
        status, error = await refused(data, name)
        assert (status, error["code"]) == (404, "CALC_NOT_FOUND")
        assert "venue_share_v1" in error["message"]


async def test_a_capture_that_is_not_there_is_a_404(data):
    answer = await data.get(f"{URL}/venue_share", params={"capture_id": "no.such.one"})

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "CAPTURE_NOT_FOUND"


async def test_a_partition_named_in_part_is_refused_with_what_is_missing(data):
    answer = await data.get(f"{URL}/venue_share", params={"tier": "OTC"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "MISSING_REQUIRED"
    assert answer.json()["error"]["details"]["field"] == "week_ending"


async def test_a_capture_of_another_partition_than_named_is_refused(data):
    older, _, _ = await captures(data)
    status, error = await refused(data, capture_id=older, tier="T1")

    assert (status, error["details"]["field"]) == (400, "tier")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ({"tier": "T9"}, "INVALID_TIER", "tier"),
        ({"week_ending": "2025-11-10"}, "INVALID_DATE", "week_ending"),
        ({"as_of": "yesterday"}, "INVALID_DATE", "as_of"),
        ({"as_of": "0001-01-01T00:00:00+14:00"}, "INVALID_DATE", "as_of"),
        ({"symbol": "A B"}, "INVALID_SYMBOL", "symbol"),
        ({"symbol": ""}, "INVALID_SYMBOL", "symbol"),
        ({"symbol": "A\0"}, "INVALID_SYMBOL", "symbol"),
        ({"limit": "1001"}, "INVALID_PARAMS", "limit"),
        ({"limit": "many"}, "INVALID_PARAMS", "limit"),
        ({"offset": "-1"}, "INVALID_PARAMS", "offset"),
        ({"offset": "9" * 30}, "INVALID_PARAMS", "offset"),
        ({"order_by": "volume"}, "INVALID_PARAMS", "order_by"),
        ({"order_by": "symbol:down"}, "INVALID_PARAMS", "order_by"),
        ({"order_by": "symbol;DROP TABLE executions"}, "INVALID_PARAMS", "order_by"),
        ({"capture_id": "../x"}, "INVALID_PARAMS", "capture_id"),
        ({"capture_id": "x", "as_of": "2025-12-15"}, "INVALID_PARAMS", "as_of"),
        ({"simbol": "A"}, "INVALID_PARAMS", "simbol"),
        ({"tier": ["OTC", "T1"]}, "INVALID_PARAMS", "tier"),
        ({"capture_no": "1"}, "INVALID_PARAMS", "capture_no"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_naming_the_field(data, query, code, field):
    status, error = await refused(data, **query)

    assert (status, error["code"], error["details"]["field"]) == (400, code, field)
