"""A plain suite of pipelines and a small domain with three stages, and the stages that run them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any

import polars as pl

from spine_common.contracts.commands import Command, command_message
from spine_common.core.calc import Calc
from spine_common.core.capture import NewCapture
from spine_common.core.clock import utc_now
from spine_common.core.dataset import Column, ColumnType, Dataset
from spine_common.core.domain import Domain, Normalized
from spine_common.core.execution import Execution
from spine_common.core.partition import PartitionKey, PartitionKind
from spine_common.core.pipeline import Param, Pipeline, PipelineResult, Stage, boolean
from spine_common.core.quality import check
from spine_common.core.rejects import REJECT_SCHEMA
from spine_common.core.source import RawCapture, SourceFile, sha256
from spine_common.framework.context import StageContext
from spine_common.framework.ports.bus import Delivery
from spine_common.framework.registry import Registry
from spine_common.framework.stage import Load, NothingToDo, PlainResult, StageOutput, StageResult

WORK = Pipeline(
    name="suite.work",
    stage=Stage.NORMALIZE,
    description="Whatever the test's stage does.",
    params=(Param("n", "a number", "integer", int), Param("what", "any text")),
    aliases=("work",),
)


def greet(params: Mapping[str, Any]) -> PipelineResult:
    now = utc_now()
    error = f"no greeting for {params['name']}" if params["name"] == "nobody" else None
    return PipelineResult("completed", now, now, error, {"greeting": f"Hello, {params['name']}"})


GREET = Pipeline(
    name="suite.greet",
    stage=Stage.AGGREGATE,
    description="A plain pipeline.",
    params=(Param("name", "whom to greet", required=True),),
    run=greet,
)


def _day(value: Any) -> str:
    return date.fromisoformat(str(value)).isoformat()


SALES_DAY = PartitionKind(
    "shop.sales",
    (PartitionKey("day", _day, "a day"), PartitionKey("shop", str, "a shop")),
)
_DAY = Column("day", ColumnType.DATE, "Day of the sale")
_LINE = Column("line", ColumnType.INTEGER, "Line of the file")
LINES = Dataset(
    "lines",
    "shop_lines",
    "Lines as they are.",
    (_DAY, _LINE, Column("text", ColumnType.TEXT, "The line")),
    ("line",),
    "day",
)
SALES = Dataset(
    "sales",
    "shop_sales",
    "Pieces sold.",
    (
        _DAY,
        _LINE,
        Column("item", ColumnType.TEXT, "What"),
        Column("pieces", ColumnType.INTEGER, "How many"),
    ),
    ("line",),
    "day",
)
TOTALS = Dataset(
    "totals",
    "shop_totals",
    "Pieces by item.",
    (
        _DAY,
        Column("item", ColumnType.TEXT, "What"),
        Column("pieces", ColumnType.INTEGER, "How many"),
    ),
    ("item",),
    "day",
)


def parse(source: SourceFile, known: Mapping[str, Any]) -> RawCapture:
    lines = source.content.decode().splitlines()
    frame = pl.DataFrame({"line": range(1, len(lines) + 1), "text": lines})
    return RawCapture(
        partition=SALES_DAY.of(known),
        format="plain",
        header="",
        lines=frame.with_columns(pl.lit(known["day"]).str.to_date().alias("day")),
        content_sha256=sha256(source.content),
        source_updated_on=None,
    )


def normalize(raw: RawCapture) -> Normalized:
    parts = raw.lines.with_columns(
        pl.col("text").str.split_exact(" ", 1).struct.rename_fields(["item", "n"]).alias("part")
    ).unnest("part")
    judged = parts.with_columns(pl.col("n").cast(pl.Int64, strict=False).alias("pieces"))
    bad = judged.filter(pl.col("pieces").is_null()).select(
        "line",
        reason=pl.lit("NO_NUMBER"),
        column=pl.lit("pieces"),
        value=pl.col("n"),
        detail=pl.lit("it is no number"),
        text="text",
    )
    good = SALES.conform(judged.filter(pl.col("pieces").is_not_null()))
    return Normalized(good, bad.cast(dict(REJECT_SCHEMA)))


TOTAL = Calc(
    name="total",
    version=1,
    dataset=TOTALS,
    compute=lambda sales: sales.group_by("day", "item").agg(pl.col("pieces").sum()),
    checks=lambda sales, totals: [
        check(
            "sum",
            holds=sales["pieces"].sum() == totals["pieces"].sum(),
            expected=sales["pieces"].sum(),
            observed=totals["pieces"].sum(),
        )
    ],
    description="Pieces by item",
)

_KEYS = (Param("day", "a day", "date", _day), Param("shop", "a shop"))
_FORCE = Param("force", "do it even if it is done", "boolean", boolean, default=False)
_CAPTURE = Param("capture_id", "a capture")
_FILE = Param("file_path", "a file")


def _step(name: str, stage: Stage, *params: Param) -> Pipeline:
    return Pipeline(name, stage, f"To {name}.", (*_KEYS, *params, _FORCE), partition=SALES_DAY)


INGEST = _step("shop.ingest", Stage.INGEST, _FILE)
NORMALIZE = _step("shop.normalize", Stage.NORMALIZE, _CAPTURE)
AGGREGATE = _step("shop.aggregate", Stage.AGGREGATE, _CAPTURE)
PROCESS = Pipeline(
    name="shop.process",
    stage=Stage.WORKFLOW,
    description="All three.",
    params=(*_KEYS, _FILE, _FORCE),
    steps=(INGEST.name, NORMALIZE.name, AGGREGATE.name),
    partition=SALES_DAY,
)
SUITE = Domain("suite", "Plain pipelines.", (WORK, GREET))
SHOP = Domain(
    "shop.sales",
    "What a shop sold on a day.",
    (PROCESS, INGEST, NORMALIZE, AGGREGATE),
    partition=SALES_DAY,
    raw=LINES,
    normalized=SALES,
    parse=parse,
    normalize=normalize,
    calcs=(TOTAL,),
)
REGISTRY = Registry([SUITE, SHOP])


async def ingest(command: Command, context: StageContext) -> StageOutput:
    source = await context.sources.fetch(command.params["file_path"])
    raw = await context.compute(parse, source, command.params)
    new = NewCapture(
        partition=raw.partition,
        content_sha256=raw.content_sha256,
        raw_key=await context.keep_raw(source),
        source_name=source.name,
        source_format=raw.format,
        source_updated_on=None,
        rows=raw.lines.height,
        bytes=len(source.content),
    )
    rows = raw.lines.height
    return StageResult(new, (Load("v1", LINES, raw.lines),), metrics={"rows": rows})


async def normalizing(command: Command, context: StageContext) -> StageOutput:
    capture = await context.capture(command)
    if not command.params.get("force") and not await context.missing(
        capture, Stage.NORMALIZE, {"v1"}
    ):
        return NothingToDo(capture, "it is done")
    raw = parse(await context.read_raw(capture), capture.partition.params())
    made = normalize(raw)
    object_key = await context.keep_normalized(capture, made.accepted)
    return StageResult(
        capture,
        (Load("v1", SALES, made.accepted),),
        object_key=object_key,
        rejected=made.rejected,
        metrics={"accepted": made.accepted.height, "rejected": made.rejected.height},
    )


async def aggregate(command: Command, context: StageContext) -> StageOutput:
    capture = await context.capture(command)
    await context.require(capture, Stage.NORMALIZE)
    sales = await context.read_normalized(capture)
    totals = TOTAL.compute(sales)
    return StageResult(
        capture,
        (Load(TOTAL.versioned_name, TOTALS, totals),),
        checks=tuple(TOTAL.checks(sales, totals)),
        metrics={"totals": totals.height},
    )


SHOP_STAGES = {Stage.INGEST: ingest, Stage.NORMALIZE: normalizing, Stage.AGGREGATE: aggregate}


async def done(_command: Command, _context: StageContext) -> StageOutput:
    return PlainResult({"done": True})


class Bench:
    """A stage at which a test sees who arrives and decides when and how they leave."""

    def __init__(self) -> None:
        self.arrivals: list[Command] = []
        self.arrived = asyncio.Event()
        self.leave = asyncio.Event()
        self.stopped = 0

    async def __call__(self, command: Command, _context: StageContext) -> StageOutput:
        self.arrivals.append(command)
        self.arrived.set()
        try:
            await self.leave.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        return PlainResult({"run": len(self.arrivals)})


def failing(*errors: Exception | None) -> Callable[..., Awaitable[StageOutput]]:
    """Return a stage whose n-th run raises the n-th error; None, and what follows, succeeds."""
    left = list(errors)

    async def stage(_command: Command, _context: StageContext) -> StageOutput:
        if left and (error := left.pop(0)) is not None:
            raise error
        return PlainResult({"done": True})

    return stage


def delivery(execution: Execution, *, queue: str = "spine.normalize.normal") -> Delivery:
    """Return the execution's command as a bus would deliver it."""
    message = command_message(execution)
    return Delivery(message.body, {}, queue, message.message_id, redelivered=False)


def sales_key(day: str = "2025-11-14", shop: str = "A") -> dict[str, str]:
    return {"day": day, "shop": shop}
