"""Every kind of bad input gets its own clear error or rejects, and nothing is half-written."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from spine_common.bootstrap.platform import Platform
from spine_common.core.capture import Capture
from spine_common.core.errors import InvalidDate, InvalidParams, InvalidTier, SpineError
from spine_common.core.execution import Execution
from spine_common.core.ids import CaptureId
from spine_common.core.pipeline import TriggerSource
from spine_common.framework.ports.queries import Window
from spine_common.testing.soundness import at_rest, check_ledger, digests, ended

WEEK = "finra.otc_transparency.process_week"
DOMAIN = "finra.otc_transparency"
HEADER = (
    "tierDescription|issueSymbolIdentifier|issueName|marketParticipantName|MPID"
    "|totalWeeklyShareQuantity|totalWeeklyTradeCount|lastUpdateDate"
)
NAME = "finra_otc_weekly_otc_20240415.csv"
PARTITION = "week_ending=2024-03-15/tier=OTC"
EVERYTHING = Window(limit=None)


def line(symbol: str = "MADE", shares: str = "100", trades: str = "2", **other: str) -> str:
    tier, venue, day = (
        other.get("tier", "OTC"),
        other.get("venue", "AAAA"),
        other.get("day", "2024-04-15"),
    )
    return f"{tier}|{symbol}|{symbol} Inc|{venue} ATS|{venue}|{shares}|{trades}|{day}"


def text(*lines: str, ending: str = "\n") -> bytes:
    return (ending.join((HEADER, *lines)) + ending).encode()


async def run(platform: Platform, content: bytes, name: str = NAME, **params: Any) -> Execution:
    path = Path(platform.settings.data_dir) / "incoming" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    location = await platform.upload(path)
    return await order(platform, {"file_path": location, **params})


async def order(platform: Platform, params: dict[str, Any]) -> Execution:
    submitted = await platform.dispatcher.submit(WEEK, params, trigger_source=TriggerSource.CLI)
    (execution,) = await ended(platform, [submitted.execution_id])
    return execution


async def the_capture(platform: Platform, execution: Execution) -> Capture:
    assert execution.status == "completed", execution.error
    async with platform.database.reading() as tx:
        return await tx.captures.get(CaptureId(execution.result["capture_id"]))


async def assert_nothing_written(platform: Platform, before: dict[str, str]) -> None:
    await at_rest(platform)
    assert await digests(platform) == before
    async with platform.database.reading() as tx:
        assert (await tx.queries.captures(DOMAIN, window=EVERYTHING)).total == 0
    assert await platform.store.keys("normalized/") == []
    await check_ledger(platform)


GOOD = text(line(), line("OTHER", "7"))

REFUSED: dict[str, tuple[bytes, dict[str, str], str, list[str]]] = {
    "header only": (text(), {}, "SOURCE_EMPTY", ["no row"]),
    "wrong delimiter": (
        GOOD.replace(b"|", b";"),
        {},
        "SOURCE_FORMAT",
        ["delimited by '|'"],
    ),
    "missing column": (
        b"\n".join(b"|".join(x.split(b"|")[:-2]) for x in GOOD.splitlines()),
        {},
        "SOURCE_FORMAT",
        ["totalWeeklyTradeCount"],
    ),
    "tier contradicting the file": (
        GOOD,
        {"tier": "T1"},
        "PARTITION_CONTRADICTED",
        ["NMS_TIER_1", "OTC"],
    ),
    "unknown tier in the file": (
        text(line(tier="Tier 9")),
        {},
        "INVALID_TIER",
        ["Tier 9", "NMS_TIER_1", "NMS_TIER_2", "OTC"],
    ),
    "ambiguous week": (
        text(line(), line("OTHER", day="2024-05-02")),
        {},
        "PARTITION_AMBIGUOUS",
        ["week_ending"],
    ),
    "a page instead of a file": (
        b"<!DOCTYPE html><html></html>",
        {},
        "SOURCE_FORMAT",
        ["first line"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_file_that_can_not_be_captured_says_why_and_leaves_nothing(
    embedded: Platform, case: str
) -> None:
    content, params, code, words = REFUSED[case]
    before = await digests(embedded)
    execution = await run(embedded, content, **params)
    assert (execution.status, execution.error_code) == ("dead_lettered", code)
    for word in words:
        assert word.lower() in (execution.error or "").lower()
    await assert_nothing_written(embedded, before)


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("no_such_file.csv", "SOURCE_NOT_FOUND"),
        (".", "SOURCE_NOT_FOUND"),
        ("../../../../../../etc/passwd", "SOURCE_FORBIDDEN"),
        ("/etc/passwd", "SOURCE_FORBIDDEN"),
        ("sha256:" + "0" * 64 + "/gone.csv", "SOURCE_NOT_FOUND"),
    ],
)
async def test_a_place_that_holds_no_readable_file_says_so_and_leaves_nothing(
    embedded: Platform, location: str, code: str
) -> None:
    before = await digests(embedded)
    execution = await order(embedded, {"file_path": location})
    assert (execution.status, execution.error_code) == ("dead_lettered", code)
    await assert_nothing_written(embedded, before)


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch], ids=["directory", "empty file"])
async def test_a_directory_and_an_empty_file_are_refused_before_anything_is_ordered(
    embedded: Platform, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "thing.csv")
    with pytest.raises(SpineError) as refused:
        await embedded.upload(tmp_path / "thing.csv")
    assert refused.value.code in {"SOURCE_NOT_FOUND", "SOURCE_EMPTY"}
    assert "thing.csv" in str(refused.value)


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"tier": "Tier 9"}, InvalidTier, ["Tier 9", "NMS_TIER_1", "NMS_TIER_2", "OTC"]),
        ({"week_ending": "2024-03-11"}, InvalidDate, ["week_ending", "2024-03-11", "2024-03-15"]),
        ({"week_ending": "soon"}, InvalidDate, ["week_ending", "soon"]),
        ({"tier": "../../etc"}, InvalidTier, ["../../etc"]),
        ({"file_path": "https://example.org/x.csv"}, InvalidParams, ["file_path"]),
        ({"weekending": "2024-03-15"}, InvalidParams, ["weekending", "week_ending"]),
        ({"force": "perhaps"}, InvalidParams, ["force", "perhaps"]),
    ],
)
async def test_a_bad_parameter_is_refused_at_the_door_and_nothing_is_recorded(
    embedded: Platform, params: dict[str, str], error: type[SpineError], words: list[str]
) -> None:
    with pytest.raises(error) as refused:
        await embedded.dispatcher.submit(WEEK, params)
    for word in words:
        assert word in str(refused.value)
    async with embedded.database.reading() as tx:
        assert await tx.ledger.recent() == []


async def test_a_capture_id_is_no_path(embedded: Platform) -> None:
    for bad in ("../../x", "a/b", "x" * 200):
        with pytest.raises(InvalidParams, match="capture_id"):
            await embedded.dispatcher.submit("otc.normalize", {"capture_id": bad})


REJECTED: dict[str, tuple[bytes, dict[str, int]]] = {
    "invalid UTF-8": (GOOD + b"OTC|B\xffD|B|A|AAAA|1|1|2024-04-15\n", {"invalid_encoding": 1}),
    "torn last line": (GOOD + b"OTC|TORN|Torn In", {"torn_line": 1}),
    "negative quantity": (text(line(), line("NEG", "-5")), {"negative_quantity": 1}),
    "text quantity": (text(line(), line("TXT", "many")), {"invalid_quantity": 1}),
    "blank symbol": (text(line(), line("")), {"blank_symbol": 1}),
    "identical rows": (text(line(), line(), line("OTHER")), {"duplicate_row": 1}),
    "conflicting rows": (
        text(line(), line(shares="101"), line("OTHER")),
        {"conflicting_duplicate": 2},
    ),
    "500 columns": (text(line(), "|".join(["x"] * 500)), {"wrong_column_count": 1}),
    "no defect": (GOOD, {}),
    "BOM": (b"\xef\xbb\xbf" + GOOD, {}),
    "CRLF": (text(line(), line("OTHER"), ending="\r\n"), {}),
    "no final newline": (GOOD[:-1], {}),
}


@pytest.mark.parametrize("case", REJECTED)
async def test_a_bad_line_is_a_reject_and_the_others_stay(embedded: Platform, case: str) -> None:
    content, reasons = REJECTED[case]
    capture = await the_capture(embedded, await run(embedded, content))
    domain = embedded.registry.domain(DOMAIN)
    assert domain.normalized is not None
    async with embedded.database.reading() as tx:
        accepted = await tx.queries.rows(domain.normalized, capture, window=EVERYTHING)
        rejected = await tx.queries.rejects(capture, window=EVERYTHING)
        assert dict(await tx.queries.reject_reasons(capture)) == reasons
        checks = {check["name"]: check["status"] for check in await tx.queries.checks(capture)}
    assert capture.rows == accepted.total + rejected.total
    assert accepted.total >= 1
    failed = {name for name, status in checks.items() if status == "failed"}
    blocking = {
        "conflicting_duplicate": "no_conflicting_duplicates",
        "torn_line": "file_complete",
    }
    assert failed == {blocking[reason] for reason in reasons if reason in blocking}
    for reject in rejected.rows:
        assert reject["line"] > 1
        assert reject["detail"]


async def test_decimals_stay_exact_and_the_case_of_a_symbol_is_kept(embedded: Platform) -> None:
    content = text(
        line("ABRpD", "0.000001"), line("ABRPD", "123456789012.654321"), line("abc", "3")
    )
    capture = await the_capture(embedded, await run(embedded, content))
    summary = embedded.registry.domain(DOMAIN).catalog.get("symbol_summary").dataset
    async with embedded.database.reading() as tx:
        page = await tx.queries.rows(summary, capture, window=EVERYTHING)
    volumes = {row["symbol"]: row["total_volume"] for row in page.rows}
    assert volumes == {
        "ABRpD": Decimal("0.000001"),
        "ABRPD": Decimal("123456789012.654321"),
        "abc": Decimal(3),
    }


async def test_the_same_file_again_is_skipped_and_writes_no_row(embedded: Platform) -> None:
    first = await run(embedded, GOOD)
    before = await digests(embedded)
    again = await run(embedded, GOOD)
    assert (first.status, again.status) == ("completed", "skipped")
    assert again.result["capture_id"] == first.result["capture_id"]
    assert await digests(embedded) == before
    async with embedded.database.reading() as tx:
        assert (await tx.queries.captures(DOMAIN, window=EVERYTHING)).total == 1


async def test_a_changed_volume_is_a_second_capture_and_the_first_still_answers(
    embedded: Platform,
) -> None:
    first = await the_capture(embedded, await run(embedded, GOOD))
    second = await the_capture(embedded, await run(embedded, GOOD.replace(b"|7|", b"|8|")))
    shares = embedded.registry.domain(DOMAIN).catalog.get("symbol_summary").dataset
    async with embedded.database.reading() as tx:
        latest = await tx.captures.latest(first.partition)
        volumes = {
            capture.capture_id: [
                row["total_volume"]
                for row in (await tx.queries.rows(shares, capture, window=EVERYTHING)).rows
                if row["symbol"] == "OTHER"
            ]
            for capture in (first, second)
        }
    assert latest == second
    assert (first.version, second.version) == (1, 2)
    assert volumes == {first.capture_id: [Decimal(7)], second.capture_id: [Decimal(8)]}


async def test_forcing_the_same_file_makes_a_new_capture_with_the_same_numbers(
    embedded: Platform,
) -> None:
    first = await the_capture(embedded, await run(embedded, GOOD))
    forced = await the_capture(embedded, await run(embedded, GOOD, force=True))
    assert (first.version, forced.version) == (1, 2)
    assert forced.content_sha256 == first.content_sha256
