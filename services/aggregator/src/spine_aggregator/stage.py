"""What aggregating does to one capture: each calc it lacks is computed and its invariants asked."""

import polars as pl

from spine_common.contracts.commands import Command
from spine_common.core.calc import Calc
from spine_common.core.pipeline import Stage
from spine_common.core.quality import QualityCheck
from spine_common.framework.context import StageContext
from spine_common.framework.stage import Load, NothingToDo, StageResult

Computed = tuple[Load, tuple[QualityCheck, ...]]


async def aggregate(command: Command, context: StageContext) -> StageResult | NothingToDo:
    """Compute every calc the capture lacks; a new calc later fills in only itself."""
    domain = context.domain(command)
    capture = await context.capture(command)
    wanted = domain.versions(Stage.AGGREGATE)
    if not command.params.get("force"):
        wanted = await context.missing(capture, Stage.AGGREGATE, wanted)
    if not wanted:
        return NothingToDo(capture, "every calculation is done already")
    await context.require(capture, Stage.NORMALIZE)

    rows = await context.read_normalized(capture)
    calcs = [calc for calc in domain.catalog.current() if calc.versioned_name in wanted]
    computed = [await context.compute(_compute, calc, rows) for calc in calcs]

    return StageResult(
        capture=capture,
        loads=tuple(load for load, _ in computed),
        checks=tuple(check for _, checks in computed for check in checks),
        metrics={load.version: load.frame.height for load, _ in computed},
    )


def _compute(calc: Calc, rows: pl.DataFrame) -> Computed:
    frame = calc.compute(rows)
    return Load(calc.versioned_name, calc.dataset, frame), tuple(calc.checks(rows, frame))
