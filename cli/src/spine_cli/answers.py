"""What the database answers to a question, ready to be printed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spine_cli.documents import capture_document
from spine_cli.invocation import spine
from spine_cli.render import Field, Row, code, percent
from spine_cli.selection import Question, find_capture
from spine_common.core.capture import Capture
from spine_common.core.errors import DataNotReady
from spine_common.core.pipeline import WORK_STAGES, Stage

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.framework.ports.database import Transaction
    from spine_common.framework.ports.queries import Window

DOMAIN = "finra.otc_transparency"

FIELDS = {
    "symbol_summary": [
        Field("symbol", "symbol"),
        Field("total_volume", "shares", is_number=True),
        Field("total_trades", "trades", is_number=True),
        Field("venue_count", "venues", is_number=True),
        Field("avg_trade_size", "shares/trade", is_number=True),
        Field("source_updated_on", "updated"),
    ],
    "venue_share": [
        Field("rank", "#", is_number=True),
        Field("venue", "venue"),
        Field("share", "share", percent, is_number=True),
        Field("total_volume", "shares", is_number=True),
        Field("total_trades", "trades", is_number=True),
        Field("symbol_count", "symbols", is_number=True),
    ],
}
_ORDER = {"symbol_summary": (("total_volume", True),), "venue_share": (("rank", False),)}
_WEEK_FIELDS = [
    Field("week_ending", "week ending"),
    Field("tier", "tier"),
    Field("rows", "rows", is_number=True),
    Field("rejected", "rejected", is_number=True),
    Field("failed_checks", "failed checks", is_number=True),
    Field("state", "state"),
    Field("version", "version", is_number=True),
    Field("captured_at", "captured (UTC)"),
]
_CAPTURE_FIELDS = [
    Field("week_ending", "week ending"),
    Field("tier", "tier"),
    Field("version", "version", is_number=True),
    Field("is_latest", "latest"),
    Field("rows", "rows", is_number=True),
    Field("source_updated_on", "updated"),
    Field("captured_at", "captured (UTC)"),
    Field("capture_id", "capture"),
]
REJECT_FIELDS = [
    Field("line", "line", code, is_number=True),
    Field("reason", "reason"),
    Field("column", "column"),
    Field("value", "value", is_long=True),
    Field("detail", "what is wrong", is_long=True),
    Field("text", "the line", is_long=True),
]


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows with all their ``columns``, the ``fields`` a table shows, and how many there are."""

    title: str
    fields: Sequence[Field]
    columns: Sequence[str]
    rows: Sequence[Row] = field(repr=False)
    total: int
    capture: Capture | None = None

    def document(self) -> dict[str, Any]:
        """Return the answer as one JSON document."""
        return {
            "capture": capture_document(self.capture) if self.capture else None,
            "rows": [{name: row.get(name) for name in self.columns} for row in self.rows],
            "total": self.total,
            "has_more": self.total > len(self.rows),
        }


async def calc_rows(
    platform: "Platform", tx: "Transaction", calc_name: str, question: Question, limit: int
) -> Answer:
    """Return a calc's rows of one capture; ``DataNotReady`` when it has not been computed."""
    domain, calc = platform.registry.calc(calc_name)
    capture = await find_capture(tx, domain, question)
    if calc.versioned_name not in await tx.manifest.done(capture, Stage.AGGREGATE):
        raise DataNotReady(
            f"{calc.versioned_name} of {capture.capture_id} has not been computed yet.",
            remedy=f"See {spine('execution', 'list')} for what became of it.",
        )
    wanted = window(limit, _ORDER[calc_name])
    page = await tx.queries.rows(calc.dataset, capture, window=wanted)
    title = _title(calc_name, capture)
    return Answer(
        title, FIELDS[calc_name], calc.dataset.column_names, page.rows, page.total, capture
    )


async def rejects(
    platform: "Platform", tx: "Transaction", question: Question, reason: str | None, limit: int
) -> Answer:
    """Return a capture's rejects by line."""
    capture = await find_capture(tx, platform.registry.domain(DOMAIN), question)
    page = await tx.queries.rejects(capture, reason=reason, window=window(limit))
    columns = ["line", "stage", "reason", "column", "value", "detail", "text"]
    title = _title("rejects", capture)
    return Answer(title, REJECT_FIELDS, columns, page.rows, page.total, capture)


async def weeks(platform: "Platform", tx: "Transaction", question: Question, limit: int) -> Answer:
    """Return the weeks there are, the latest first, by their latest capture."""
    known = question.known(platform.registry.domain(DOMAIN))
    contains = "/".join(f"{name}={value}" for name, value in known.items())
    page = await tx.queries.coverage(DOMAIN, contains=contains, window=window(limit))
    rows = [{**_with_partition(row), "state": _state(row)} for row in page.rows]
    columns = [
        *("week_ending", "tier", "state", "rows", "rejected", "failed_checks", "stages_done"),
        *("version", "capture_id", "captured_at", "source_updated_on", "source_name"),
    ]
    return Answer("", _WEEK_FIELDS, columns, rows, page.total)


async def captures(
    platform: "Platform", tx: "Transaction", question: Question, limit: int
) -> Answer:
    """Return every capture that fits, the newest first."""
    known, moment = question.known(platform.registry.domain(DOMAIN)), question.moment
    page = await tx.queries.captures(DOMAIN, window=window(None))
    fitting = [
        row
        for row in map(_with_partition, page.rows)
        if known.items() <= row.items() and (moment is None or row["captured_at"] <= moment)
    ]
    columns = [
        *("week_ending", "tier", "version", "is_latest", "capture_id", "captured_at", "rows"),
        *("source_name", "source_format", "source_updated_on", "content_sha256", "raw_key"),
    ]
    return Answer("", _CAPTURE_FIELDS, columns, fitting[:limit], len(fitting))


def window(limit: int | None, order_by: Sequence[tuple[str, bool]] = ()) -> "Window":
    """Return which rows of an answer are wanted."""
    from spine_common.framework.ports.queries import Window  # noqa: PLC0415 - heavy

    return Window(limit=limit, order_by=order_by)


def _title(what: str, capture: Capture) -> str:
    keys = " ".join(value for _, value in capture.partition.keys)
    return f"{what.replace('_', ' ')}  {keys}  {capture.capture_id}"


def _with_partition(row: Row) -> dict[str, Any]:
    pairs = (part.partition("=") for part in row["partition_key"].split("/"))
    return {**row, **{name: value for name, _, value in pairs}}


def _state(row: Row) -> str:
    if row["failed_checks"]:
        return "not right"
    return "ready" if row["stages_done"] == len(WORK_STAGES) else "unfinished"
