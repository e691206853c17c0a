"""Weekly files for the tests, built from the few fields a test is about."""

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from spine_common.core.domain import Normalized
from spine_common.core.source import RawCapture, SourceFile
from spine_common.domains.finra.otc_transparency.normalize import normalize
from spine_common.domains.finra.otc_transparency.parse import parse_weekly_file
from spine_common.domains.finra.otc_transparency.schema import VENUE_VOLUME

DOWNLOAD_HEADER = (
    "tierDescription|issueSymbolIdentifier|issueName|marketParticipantName|MPID"
    "|totalWeeklyShareQuantity|totalWeeklyTradeCount|lastUpdateDate"
)
API_ROW = {
    "issueSymbolIdentifier": "ACME",
    "issueName": "Acme Corp",
    "firmCRDNumber": "",
    "MPID": "VENA",
    "marketParticipantName": "VENUE A",
    "tierIdentifier": "T1",
    "tierDescription": "NMS Tier 1",
    "summaryStartDate": "2025-11-10",
    "totalWeeklyTradeCount": "4",
    "totalWeeklyShareQuantity": "100",
    "productTypeCode": "UTP",
    "summaryTypeCode": "ATS_W_SMBL_FIRM",
    "weekStartDate": "2025-11-10",
    "lastUpdateDate": "2025-12-02",
    "initialPublishedDate": "2025-12-01",
    "lastReportedDate": "2025-11-17",
    "totalNotionalSum": "1234.5",
}
API_COLUMNS = tuple(API_ROW)


def download_row(  # noqa: PLR0913 - a column of the file each
    symbol="ACME",
    mpid="VENA",
    shares="100",
    trades="4",
    *,
    tier="OTC",
    name="Acme Corp",
    venue="VENUE A",
    updated="2025-12-15",
):
    return f"{tier}|{symbol}|{name}|{venue}|{mpid}|{shares}|{trades}|{updated}"


def download(*rows, name="finra_otc_weekly_otc_20251215.csv", end="\n"):
    return SourceFile(name, ("\n".join((DOWNLOAD_HEADER, *rows)) + end).encode())


def api_csv(*rows, quoted=True, columns=API_COLUMNS):
    fence = '"' if quoted else ""
    header = ",".join(columns)
    lines = [
        ",".join(f"{fence}{(API_ROW | row)[column]}{fence}" for column in columns) for row in rows
    ]
    return SourceFile("weekly_summary.csv", "\n".join((header, *lines, "")).encode())


def short_form(*lines):
    header = "WeekEnding|Tier|Symbol|MPID|TotalShares|TotalTrades"
    return SourceFile("week.txt", "\n".join((header, *lines, "")).encode())


def parsed(source: SourceFile, **known: str) -> RawCapture:
    return parse_weekly_file(source, known)


def normalized(source: SourceFile, **known: str) -> Normalized:
    return normalize(parsed(source, **known))


def volumes(*rows: tuple[str, str, object], trades: int = 1) -> pl.DataFrame:
    """Return ``VENUE_VOLUME`` rows of (symbol, venue, shares)."""
    frame = pl.DataFrame(
        {
            "line": range(2, len(rows) + 2),
            "symbol": [symbol for symbol, _, _ in rows],
            "venue": [venue for _, venue, _ in rows],
            "mpid": [None if venue.startswith("CRD") else venue for _, venue, _ in rows],
            "firm_crd": [
                venue[3:].split("/")[0] if venue.startswith("CRD") else None for _, venue, _ in rows
            ],
            "shares": [str(shares) for _, _, shares in rows],
        },
        schema_overrides={"mpid": pl.String, "firm_crd": pl.String, "shares": pl.String},
    ).with_columns(
        pl.lit(date(2025, 11, 14)).alias("week_ending"),
        pl.lit("OTC").alias("tier"),
        pl.lit(trades).alias("trades"),
    )
    missing = [name for name in VENUE_VOLUME.column_names if name not in frame.columns]
    return VENUE_VOLUME.conform(frame.with_columns(pl.lit(None).alias(name) for name in missing))


class Builders:
    row = staticmethod(download_row)
    download = staticmethod(download)
    api_csv = staticmethod(api_csv)
    short_form = staticmethod(short_form)
    parsed = staticmethod(parsed)
    normalized = staticmethod(normalized)
    volumes = staticmethod(volumes)


@pytest.fixture(scope="session")
def build() -> type[Builders]:
    return Builders


@pytest.fixture
def real_file() -> Callable[[str], SourceFile]:
    """Return a reader of FINRA's own files, which the project may not ship."""
    beside = next(
        (
            parent / "shared" / "finra"
            for parent in Path(__file__).parents
            if (parent / "shared" / "finra").is_dir()
        ),
        None,
    )
    folder = Path(os.environ.get("SPINE_FINRA_FILES", beside or "missing"))

    def read(name: str) -> SourceFile:
        if not (folder / name).is_file():
            pytest.skip("FINRA's files are not here; SPINE_FINRA_FILES says where they are")
        return SourceFile(name, (folder / name).read_bytes())

    return read
