"""What becomes of each line: a typed row, or a reject with its reason."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_common.core.rejects import REJECT_SCHEMA
from spine_common.domains.finra.otc_transparency.schema import VENUE_VOLUME


def reasons(result):
    return dict(result.rejected.select("line", "reason").iter_rows())


def failed(result):
    return {check.name for check in result.checks if check.failed}


def test_a_sound_line_becomes_a_typed_row(build):
    result = build.normalized(build.download(build.row("ABRpD", shares="7.5", trades="2")))
    (row,) = result.accepted.rows(named=True)
    assert result.accepted.schema == VENUE_VOLUME.schema
    assert result.rejected.schema == REJECT_SCHEMA
    assert row | {"record_hash": 0} == {
        "week_ending": date(2025, 11, 14),
        "tier": "OTC",
        "line": 2,
        "summary_type": "ATS",
        "symbol": "ABRpD",
        "issue_name": "Acme Corp",
        "venue": "VENA",
        "mpid": "VENA",
        "firm_crd": None,
        "venue_name": "VENUE A",
        "product_type": None,
        "shares": Decimal("7.5"),
        "trades": 2,
        "avg_trade_size": Decimal("3.75"),
        "source_updated_on": date(2025, 12, 15),
        "published_on": None,
        "last_reported_on": None,
        "record_hash": 0,
    }
    assert not failed(result)


def test_symbols_that_differ_by_case_are_two_securities(build):
    result = build.normalized(build.download(build.row("ABRpD"), build.row("ABRPD")))
    assert result.accepted["symbol"].to_list() == ["ABRpD", "ABRPD"]


@pytest.mark.parametrize("symbol", ["BRK.B", "AACT.WS", "NA", "NULL", "TRUE", "1E5"])
def test_a_legal_symbol_is_kept_as_it_is(build, symbol):
    assert build.normalized(build.download(build.row(symbol))).accepted["symbol"][0] == symbol


def test_a_bare_quote_in_a_name_is_data_and_swallows_no_line(build):
    rows = [build.row("A", name='6" Pipe "Corp'), build.row("B", name='"Open'), build.row("C")]
    result = build.normalized(build.download(*rows))
    assert result.accepted["issue_name"].to_list() == ['6" Pipe "Corp', '"Open', "Acme Corp"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"symbol": ""}, "blank_symbol"),
        ({"symbol": "  "}, "blank_symbol"),
        ({"symbol": "A B"}, "invalid_symbol"),
        ({"symbol": "A" * 33}, "invalid_symbol"),
        ({"symbol": "�"}, "invalid_encoding"),
        ({"mpid": "", "venue": " "}, "blank_venue"),
        ({"shares": "-1"}, "negative_quantity"),
        ({"trades": "-1"}, "negative_quantity"),
        ({"shares": ""}, "invalid_quantity"),
        ({"shares": "1e5"}, "invalid_quantity"),
        ({"shares": "1,000"}, "invalid_quantity"),
        ({"shares": "1.1234567"}, "invalid_quantity"),
        ({"shares": "1000000000000"}, "invalid_quantity"),
        ({"shares": "NaN"}, "invalid_quantity"),
        ({"shares": "\u0661\u0662"}, "invalid_quantity"),
        ({"trades": "1.5"}, "invalid_trades"),
        ({"trades": ""}, "invalid_trades"),
        ({"trades": "9" * 30}, "invalid_trades"),
        ({"tier": "T9"}, "unknown_tier"),
        ({"updated": "2025-13-01"}, "invalid_date"),
        ({"updated": "15.12.2025"}, "invalid_date"),
    ],
)
def test_a_line_with_a_fault_is_one_reject_with_its_reason(build, line, reason):
    source = build.download(build.row("GOOD"), build.row(**line), build.row("ALSO"))
    result = build.normalized(source, week_ending="2025-11-14")
    assert reasons(result) == {3: reason}
    assert result.rejected["text"][0] == build.row(**line)
    assert result.rejected["detail"][0]
    assert result.accepted["line"].to_list() == [2, 4]
    assert not failed(result)


@pytest.mark.parametrize(
    ("shares", "says"),
    [
        ("1e5", "exponent"),
        ("", "empty"),
        ("0.1234567", "six decimal places"),
        ("9999999999999", "out of range"),
        ("many", "no number"),
    ],
)
def test_a_bad_quantity_s_reject_says_what_ails_it(build, shares, says):
    source = build.download(build.row("GOOD"), build.row(shares=shares))
    (reject,) = build.normalized(source).rejected.rows(named=True)
    assert says in reject["detail"]
    assert reject["column"] == "totalWeeklyShareQuantity"
    assert reject["value"] == (shares or None)


def test_a_line_of_500_columns_is_one_reject(build):
    wide = "|".join("x" * 500)
    result = build.normalized(build.download(build.row(), wide, build.row("B")))
    assert reasons(result) == {3: "wrong_column_count"}
    assert "500 columns, the header 8" in result.rejected["detail"][0]


def test_a_torn_last_line_is_one_reject(build):
    source = build.download(build.row(), build.row("B")[:20], end="")
    assert reasons(build.normalized(source)) == {3: "torn_line"}


def test_an_empty_line_inside_is_one_reject(build):
    result = build.normalized(build.download(build.row(), "", build.row("B")))
    assert reasons(result) == {3: "blank_line"}


def test_a_long_line_is_cut_in_its_reject(build):
    source = build.download(build.row(), build.row("B", shares="9" * 5000))
    (reject,) = build.normalized(source).rejected.rows(named=True)
    assert (len(reject["value"]), len(reject["text"])) == (200, 2000)


def test_later_copies_of_a_row_go_and_the_first_stays(build):
    copies = [build.row("A"), build.row("B"), build.row("A", shares="100.0"), build.row("A")]
    result = build.normalized(build.download(*copies))
    assert reasons(result) == {4: "duplicate_row", 5: "duplicate_row"}
    assert result.accepted["line"].to_list() == [2, 3]
    assert not failed(result)


def test_copies_that_contradict_each_other_all_go_and_fail_the_partition(build):
    rows = [build.row("A"), build.row("A"), build.row("B"), build.row("A", shares="999")]
    result = build.normalized(build.download(*rows))
    assert reasons(result) == dict.fromkeys((2, 3, 5), "conflicting_duplicate")
    assert "Lines 2, 3, 5" in result.rejected["detail"][0]
    assert failed(result) == {"no_conflicting_duplicates"}


def test_a_partition_without_a_usable_line_fails(build):
    result = build.normalized(build.download(build.row("")))
    assert failed(result) == {"has_rows"}


def test_a_firm_without_mpid_is_known_by_number_and_name(build):
    crd = {"MPID": "", "summaryTypeCode": "OTC_W_SMBL_FIRM"}
    minimis = crd | {"firmCRDNumber": "0", "marketParticipantName": "De Minimis Firms"}
    firm = crd | {"firmCRDNumber": "7691", "marketParticipantName": "BIG FIRM"}
    accepted = build.normalized(build.api_csv(minimis, firm, {})).accepted
    assert accepted["venue"].to_list() == ["CRD0/De Minimis Firms", "CRD7691/BIG FIRM", "VENA"]
    assert accepted["summary_type"].to_list() == ["OTC", "OTC", "ATS"]
    assert accepted["mpid"].to_list() == [None, None, "VENA"]


def test_a_download_s_row_without_mpid_is_of_a_firm_outside_of_an_ats(build):
    (row,) = build.normalized(build.download(build.row(mpid=""))).accepted.rows(named=True)
    assert (row["summary_type"], row["venue"]) == ("OTC", "CRD/VENUE A")


@pytest.mark.parametrize("code", ["ATS_W_SMBL", "OTC_W_FIRM", "OTC_W_VOL_STATS", ""])
def test_rows_of_other_summaries_are_rejected_so_that_nothing_counts_twice(build, code):
    result = build.normalized(build.api_csv({}, {"summaryTypeCode": code}))
    assert reasons(result) == {3: "excluded_summary_type"}


@pytest.mark.parametrize("quoted", [True, False])
def test_an_api_file_is_read_with_all_of_its_clocks(build, quoted):
    (row,) = build.normalized(build.api_csv({}, quoted=quoted)).accepted.rows(named=True)
    assert row["source_updated_on"] == date(2025, 12, 2)
    assert row["published_on"] == date(2025, 12, 1)
    assert row["last_reported_on"] == date(2025, 11, 17)
    assert row["product_type"] == "UTP"
    assert (row["week_ending"], row["tier"]) == (date(2025, 11, 14), "NMS_TIER_1")


def test_quoted_fields_keep_commas_and_doubled_quotes(build):
    names = ["Acme, Inc", 'Acme ""6"" Inc', "plain"]
    rows = [{"issueSymbolIdentifier": f"S{i}", "issueName": n} for i, n in enumerate(names)]
    accepted = build.normalized(build.api_csv(*rows)).accepted
    assert accepted["issue_name"].to_list() == ["Acme, Inc", 'Acme "6" Inc', "plain"]


@pytest.mark.parametrize("name", ['Open" ""', '"Acme" Inc', 'a"b'])
def test_unbalanced_quotes_are_one_reject(build, name):
    result = build.normalized(build.api_csv({}, {"issueName": name}, {"MPID": "VENB"}))
    assert reasons(result) == {3: "unbalanced_quote"}


def test_lines_of_another_week_or_a_garbled_one_are_rejected_singly(build):
    source = build.short_form(
        "2025-11-14|T2|ACME|VENA|100|4", "2025-11-12|T2|B|VENA|1|1", "14.11.2025|T2|C|VENA|1|1"
    )
    assert reasons(build.normalized(source)) == {3: "invalid_date", 4: "invalid_date"}


def test_one_security_listed_as_two_products_is_two_rows(build):
    result = build.normalized(build.api_csv({}, {"productTypeCode": "CTS"}))
    assert result.accepted.height == 2


def test_the_record_hash_follows_what_a_row_says_and_not_where_it_stands(build):
    def hashes(*rows):
        return build.normalized(build.download(*rows)).accepted["record_hash"].to_list()

    a, b = build.row("A"), build.row("B")
    assert hashes(a, b) == hashes(b, a)[::-1]
    assert hashes(a) == hashes(build.row("A", shares="100.000", name="Renamed"))
    assert hashes(a) == [8751127500645015488]
    assert len({*hashes(a), *hashes(build.row("a")), *hashes(build.row("A", trades="5"))}) == 3


FIELD = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=12)
LINE = st.one_of(
    st.lists(FIELD, max_size=10).map("|".join),
    st.tuples(
        st.sampled_from(["OTC", "OTC", "otce", "T9", ""]),
        st.sampled_from(["A", "B", "a", "", "\x00"]),
        st.sampled_from(["X", "", '"']),
        st.sampled_from(["V", ""]),
        st.sampled_from(["M1", "M2", ""]),
        st.sampled_from(["1", "2.5", "0", "-1", "1e3", ""]),
        st.sampled_from(["1", "0", "x"]),
        st.sampled_from(["2025-12-15", "", "soon"]),
    ).map("|".join),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(LINE, max_size=30), st.sampled_from(["\n", "\r\n", ""]))
def test_whatever_a_file_holds_every_line_is_accepted_or_rejected_once(build, lines, end):
    source = build.download(build.row("GOOD"), *lines, end=end)
    result = build.normalized(source, week_ending="2025-11-14")
    raw = build.parsed(source, week_ending="2025-11-14").lines
    judged = sorted([*result.accepted["line"], *result.rejected["line"]])
    assert judged == raw["line"].to_list()
    assert result.accepted.schema == VENUE_VOLUME.schema
    assert not failed(result) & {"rows_conserved", "has_rows"} or "GOOD" in str(lines)
    assert "\x00" not in "".join(raw["text"])
