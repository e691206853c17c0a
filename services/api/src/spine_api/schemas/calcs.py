"""Calculations as JSON: what is computed, and one page of a capture's numbers with its pedigree."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from spine_common.core.calc import Calc
from spine_common.core.capture import Capture
from spine_common.core.dataset import Column, ColumnType
from spine_common.core.domain import Domain
from spine_common.core.pipeline import Stage

JsonType = Literal["string", "integer", "number", "boolean"]
_JSON_TYPES: Mapping[ColumnType, JsonType] = {
    ColumnType.TEXT: "string",
    ColumnType.INTEGER: "integer",
    ColumnType.QUANTITY: "string",
    ColumnType.RATIO: "number",
    ColumnType.DATE: "string",
    ColumnType.BOOLEAN: "boolean",
}


class ColumnAnswer(BaseModel):
    """A column of a calc's rows."""

    name: str
    type: ColumnType
    json_type: JsonType = Field(description="A quantity is a string: an exact decimal.")
    description: str
    unit: str
    nullable: bool

    @classmethod
    def of(cls, column: Column) -> Self:
        """Show a column."""
        return cls(
            name=column.name,
            type=column.type,
            json_type=_JSON_TYPES[column.type],
            description=column.description,
            unit=column.unit,
            nullable=column.nullable,
        )


class CalcAnswer(BaseModel):
    """One version of a calculation."""

    name: str
    version: int
    versioned_name: str
    is_current: bool
    deprecated: bool
    deprecation_message: str | None
    domain: str
    description: str
    partition: list[str] = Field(description="Query parameters that name a partition.")
    columns: list[ColumnAnswer]

    @classmethod
    def of(cls, calc: Calc, domain: Domain) -> Self:
        """Show a calc of a domain."""
        return cls(
            name=calc.name,
            version=calc.version,
            versioned_name=calc.versioned_name,
            is_current=calc in domain.catalog.current(),
            deprecated=bool(calc.deprecated),
            deprecation_message=calc.deprecated or None,
            domain=domain.name,
            description=calc.description,
            partition=list(domain.partition.names) if domain.partition else [],
            columns=[ColumnAnswer.of(column) for column in calc.dataset],
        )


class CalcList(BaseModel):
    """Every version of every calculation."""

    calcs: list[CalcAnswer]


class SourceAnswer(BaseModel):
    """Which publication a capture was made from."""

    name: str
    format: str
    sha256: str = Field(description="Of its content, unpacked.")
    updated_on: date | None = Field(description="Day the source says it was last changed.")


class CaptureAnswer(BaseModel):
    """Which vintage of the partition the rows are."""

    capture_id: str
    captured_at: datetime
    is_latest: bool
    latest_capture_id: str
    source: SourceAnswer

    @classmethod
    def of(cls, capture: Capture, latest: Capture) -> Self:
        """Show a capture beside the latest one of its partition."""
        return cls(
            capture_id=capture.capture_id,
            captured_at=capture.captured_at,
            is_latest=capture.capture_id == latest.capture_id,
            latest_capture_id=latest.capture_id,
            source=SourceAnswer(
                name=capture.source_name,
                format=capture.source_format,
                sha256=capture.content_sha256,
                updated_on=capture.source_updated_on,
            ),
        )


class BlockingIssue(BaseModel):
    """One reason why a capture's numbers should not be used yet."""

    code: Literal["STAGE_INCOMPLETE", "CHECK_FAILED"]
    stage: Stage
    message: str


class Readiness(BaseModel):
    """Whether a capture's numbers may be used."""

    is_ready: bool
    ready_for: list[str] = Field(description="The calcs whose numbers may be used.")
    blocking_issues: list[BlockingIssue]


class Pagination(BaseModel):
    """Which part of the rows this is."""

    offset: int
    limit: int
    total: int
    has_more: bool


class CalcRows(BaseModel):
    """A page of a calc's rows for one capture, and everything needed to trust them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "calc_name": "venue_share",
                    "calc_version": 1,
                    "calc_deprecated": False,
                    "deprecation_message": None,
                    "query_time": "2025-12-23T09:30:00.000Z",
                    "capture": {
                        "capture_id": "otc_transparency.2025-11-14.OTC.v1.9f3ac2d1",
                        "captured_at": "2025-12-15T14:02:11.408Z",
                        "is_latest": True,
                        "latest_capture_id": "otc_transparency.2025-11-14.OTC.v1.9f3ac2d1",
                        "source": {
                            "name": "finra_otc_weekly_otc_20251215.csv",
                            "format": "weekly_download",
                            "sha256": "9f3ac2d1" * 8,
                            "updated_on": "2025-12-15",
                        },
                    },
                    "readiness": {
                        "is_ready": True,
                        "ready_for": ["symbol_summary_v1", "venue_share_v1"],
                        "blocking_issues": [],
                    },
                    "rows": [
                        {
                            "week_ending": "2025-11-14",
                            "tier": "OTC",
                            "venue": "ABCD",
                            "total_volume": "1204.5",
                            "total_trades": 12,
                            "symbol_count": 3,
                            "share": 0.75,
                            "rank": 1,
                        }
                    ],
                    "pagination": {"offset": 0, "limit": 50, "total": 1, "has_more": False},
                }
            ]
        }
    )

    calc_name: str
    calc_version: int
    calc_deprecated: bool
    deprecation_message: str | None
    query_time: datetime = Field(description="The database's time when it answered.")
    capture: CaptureAnswer
    readiness: Readiness
    rows: list[dict[str, Any]] = Field(
        description="As `GET /data/calcs` describes their columns; quantities are text."
    )
    pagination: Pagination
