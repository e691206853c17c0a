"""How a file's bytes become lines, whatever they are packed in."""

import gzip

import pytest

from spine_common.core.errors import SourceEmpty, SourceFormat, SourceTooLarge
from spine_common.core.source import SourceFile, sha256
from spine_common.domains.finra.otc_transparency.parse import parse_weekly_file, unpack
from spine_common.domains.finra.otc_transparency.schema import RAW

WEEK = {"week_ending": "2025-11-14", "tier": "OTC"}


def texts(source):
    return parse_weekly_file(source, WEEK).lines["text"].to_list()


def test_every_line_after_the_header_is_kept_in_order_with_its_number(build):
    rows = [build.row(symbol) for symbol in ("B", "A", "C")]
    raw = parse_weekly_file(build.download(*rows), {})
    assert raw.lines.schema == RAW.schema
    assert raw.lines["text"].to_list() == rows
    assert raw.lines["line"].to_list() == [2, 3, 4]
    assert raw.format == "weekly_download"
    assert str(raw.source_updated_on) == "2025-12-15"


def test_the_final_newline_may_be_missing_and_an_empty_line_inside_is_a_line(build):
    rows = [build.row("A"), "", build.row("B")]
    assert texts(build.download(*rows)) == rows
    assert texts(build.download(*rows, end="")) == rows


def test_windows_line_ends_and_a_byte_order_mark_are_no_data(build):
    plain = build.download(build.row("A"), build.row("B"))
    windows = SourceFile("w.csv", b"\xef\xbb\xbf" + plain.content.replace(b"\n", b"\r\n"))
    assert texts(windows) == texts(plain)


def test_a_gzipped_file_is_the_same_content_as_the_plain_one(build):
    plain = build.download(build.row())
    packed = SourceFile(f"{plain.name}.gz", gzip.compress(plain.content))
    raw = parse_weekly_file(packed, {})
    assert raw.content_sha256 == sha256(plain.content)
    assert raw.lines.equals(parse_weekly_file(plain, {}).lines)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:20] + b"?" + b[21:]])
def test_broken_gzip_is_no_format_of_ours(build, damage):
    packed = gzip.compress(build.download(*[build.row(str(i)) for i in range(99)]).content)
    with pytest.raises(SourceFormat, match="broken gzip"):
        parse_weekly_file(SourceFile("w.csv.gz", damage(packed)), WEEK)


def test_what_unpacks_to_more_than_the_cap_is_refused():
    bomb = SourceFile("bomb.gz", gzip.compress(b"0" * (5 << 20)))
    with pytest.raises(SourceTooLarge, match=r"bomb\.gz unpacks to more than"):
        unpack(bomb, limit=4 << 20)


def test_unreadable_bytes_spoil_their_own_line_alone(build):
    good = build.download(build.row("A"), build.row("B"), build.row("C")).content
    spoilt = good.replace(b"|B|", b"|\xe9\x00|")
    lines = texts(SourceFile("w.csv", spoilt))
    assert lines[1] == build.row("��")
    assert [lines[0], lines[2]] == [build.row("A"), build.row("C")]


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\n", gzip.compress(b"", mtime=0)])
def test_a_file_without_content_is_empty(content):
    with pytest.raises(SourceEmpty, match=r"w\.csv is empty"):
        parse_weekly_file(SourceFile("w.csv", content), WEEK)


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n \r\n"])
def test_a_header_alone_is_empty_too(build, end):
    with pytest.raises(SourceEmpty, match="header and no row"):
        parse_weekly_file(build.download(end=end), WEEK)


@pytest.mark.parametrize("column", ["MPID", "lastUpdateDate", "tierDescription"])
def test_a_missing_column_is_named_beside_the_three_formats(build, column):
    content = build.download(build.row()).content.replace(column.encode(), b"other")
    with pytest.raises(SourceFormat, match=f"weekly_download but lacks {column}") as raised:
        parse_weekly_file(SourceFile("w.csv", content), WEEK)
    assert all(name in raised.value.remedy for name in ("weekly_download", "api_csv", "short_form"))


def test_the_wrong_delimiter_is_named(build):
    content = build.download(build.row()).content.replace(b"|", b",")
    with pytest.raises(SourceFormat, match="delimited by '\\|', not by ','"):
        parse_weekly_file(SourceFile("w.csv", content), WEEK)


@pytest.mark.parametrize(
    "content", [b"<html>\n<body>", b"PK\x03\x04\x00zip", b"a|b\n1|2", b'"' * 200_000 + b"\n1"]
)
def test_another_kind_of_file_is_refused(content):
    with pytest.raises(SourceFormat, match="none FINRA writes"):
        parse_weekly_file(SourceFile("w.csv", content), WEEK)


def test_a_column_named_twice_is_refused(build):
    source = build.short_form("2025-11-14|OTC|ACME|VENA|1|1|x")
    content = source.content.replace(b"TotalTrades", b"TotalTrades|MPID")
    with pytest.raises(SourceFormat, match="names MPID twice"):
        parse_weekly_file(SourceFile("w.csv", content), WEEK)


def test_a_file_no_line_of_which_has_the_header_s_columns_is_refused(build):
    with pytest.raises(SourceFormat, match=r"No line of .* has the 8 columns"):
        parse_weekly_file(build.download("x|y", "z"), WEEK)
