"""What ingesting does to one publication: keep its bytes, read its lines, say whose week it is."""

from spine_common.contracts.commands import Command
from spine_common.core.capture import NewCapture
from spine_common.core.domain import Domain
from spine_common.core.errors import InvalidParams, MissingRequired
from spine_common.core.source import RawCapture, SourceFile
from spine_common.framework.context import StageContext
from spine_common.framework.stage import Load, StageResult


async def ingest(command: Command, context: StageContext) -> StageResult:
    """Every line of the publication is kept, in order; the manifest decides whether it is new."""
    domain = context.domain(command)
    if domain.parse is None or domain.raw is None or domain.partition is None:
        raise InvalidParams(f"{domain.name} declares nothing to ingest.")
    location = command.params.get("file_path")
    if location is None:
        raise MissingRequired(
            f"{command.pipeline} needs file_path.",
            remedy="Name the file to capture: -p file_path=… or --file …",
            field="file_path",
        )
    source = await context.sources.fetch(location)
    raw = await context.compute(domain.parse, source, domain.partition.known(command.params))
    raw_key = await context.keep_raw(source)
    return _result(domain, source, raw, raw_key)


def _result(domain: Domain, source: SourceFile, raw: RawCapture, raw_key: str) -> StageResult:
    assert domain.raw is not None  # noqa: S101 - checked where the stage begins
    rows = raw.lines.height
    return StageResult(
        capture=NewCapture(
            partition=raw.partition,
            content_sha256=raw.content_sha256,
            raw_key=raw_key,
            source_name=source.name,
            source_format=raw.format,
            source_updated_on=raw.source_updated_on,
            rows=rows,
            bytes=len(source.content),
        ),
        loads=(Load("v1", domain.raw, raw.lines),),
        metrics={"rows": rows},
    )
