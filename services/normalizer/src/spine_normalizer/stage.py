"""What normalizing does to one capture: every raw line becomes a valid row or a reject."""

from spine_common.contracts.commands import Command
from spine_common.core.errors import InvalidParams
from spine_common.core.pipeline import Stage
from spine_common.framework.context import StageContext
from spine_common.framework.stage import Load, NothingToDo, StageResult


async def normalize(command: Command, context: StageContext) -> StageResult | NothingToDo:
    """Every raw line of a capture becomes a valid row or a reject; nothing disappears."""
    domain = context.domain(command)
    if domain.parse is None or domain.normalize is None or domain.normalized is None:
        raise InvalidParams(f"{domain.name} declares nothing to normalize.")
    capture = await context.capture(command)
    versions = domain.versions(Stage.NORMALIZE)
    if not command.params.get("force") and not await context.missing(
        capture, Stage.NORMALIZE, versions
    ):
        return NothingToDo(capture, "it is normalized already")
    await context.require(capture, Stage.INGEST)

    source = await context.read_raw(capture)
    raw = await context.compute(domain.parse, source, capture.partition.params())
    normalized = await context.compute(domain.normalize, raw)
    object_key = await context.keep_normalized(capture, normalized.accepted)

    accepted, rejected = normalized.accepted.height, normalized.rejected.height
    return StageResult(
        capture=capture,
        loads=(Load("v1", domain.normalized, normalized.accepted),),
        rejected=normalized.rejected,
        checks=normalized.checks,
        metrics={"accepted": accepted, "rejected": rejected},
        object_key=object_key,
    )
