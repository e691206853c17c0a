"""What can be seen after the demo: top venues, rejects, a restatement, the files, what to type."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from spine_cli import answers
from spine_cli.demonstration.job import Work
from spine_cli.demonstration.publications import Publications
from spine_cli.invocation import shortest, spine
from spine_cli.render import Field, Row, code, print_table
from spine_cli.selection import Question
from spine_common.core.ids import CaptureId

if TYPE_CHECKING:
    from spine_common.bootstrap.platform import Platform
    from spine_common.bootstrap.settings import Settings
    from spine_common.framework.ports.database import Transaction

_REASON_FIELDS = [
    Field("reason", "reason"),
    Field("count", "rows", is_number=True),
    Field("file", "for example in"),
    Field("line", "line", code, is_number=True),
    Field("text", "which reads", is_long=True),
]
_VINTAGE_FIELDS = [
    Field("version", "version", is_number=True),
    Field("source_updated_on", "updated by FINRA"),
    Field("symbol", "symbol"),
    Field("venue", "venue"),
    Field("shares", "shares", is_number=True),
    Field("capture_id", "capture"),
]


async def print_report(
    platform: "Platform", publications: Publications, work: Work, prefix: str
) -> None:
    """Print what the demo made; ``prefix`` makes a command ask the demo's data."""
    async with platform.database.reading() as tx:
        for tier in ("NMS_TIER_1", "OTC"):
            top = await answers.calc_rows(platform, tx, "venue_share", Question(tier), 5)
            print_table(top.title, top.fields, top.rows)
        print_table("rejected rows, by reason", _REASON_FIELDS, await _reasons(platform, tx))
        vintages = await _vintages(platform, tx, publications)
    title = "a restatement makes a new capture and keeps the old one"
    print_table(title, _VINTAGE_FIELDS, vintages)
    restated = publications.later[0]
    before = f"--as-of {vintages[0]['captured_at']:%Y-%m-%dT%H:%M:%S.%fZ}"
    asked = f"--tier {restated.tier} --week {restated.week_ending} {before}"
    typer.echo(f"What was known before it: {prefix} {spine('query', 'venues', asked)}\n")
    rate = work.rows / work.seconds
    captured = f"{work.rows:,} rows of {len(publications.files)} files"
    said = f"{captured} captured, judged and computed in {work.seconds:.1f} s: {rate:,.0f} rows/s."
    typer.secho(said, bold=True)


async def _reasons(platform: "Platform", tx: "Transaction") -> Sequence[Row]:
    """Return each reason with how often it occurs and the first line that has it."""
    counts: Counter[str] = Counter()
    examples: dict[str, Row] = {}
    for row in reversed((await answers.captures(platform, tx, Question(), 1_000)).rows):
        capture = await tx.captures.get(CaptureId(row["capture_id"]))
        for reason, count in (await tx.queries.reject_reasons(capture)).items():
            counts[reason] += count
            if reason not in examples:
                page = await tx.queries.rejects(capture, reason=reason, window=answers.window(1))
                examples[reason] = {**page.rows[0], "file": capture.source_name}
    return [{**examples[reason], "count": count} for reason, count in counts.most_common()]


async def _vintages(
    platform: "Platform", tx: "Transaction", publications: Publications
) -> Sequence[Row]:
    """Return the restated line as each capture of its week has it, the oldest first."""
    restated = publications.later[0]
    domain = platform.registry.domain(answers.DOMAIN)
    assert domain.normalized is not None, "the domain has rows"  # noqa: S101 - invariant
    question = Question(restated.tier, restated.week_ending.isoformat())
    rows: list[Row] = []
    for found in reversed((await answers.captures(platform, tx, question, 10)).rows):
        capture = await tx.captures.get(CaptureId(found["capture_id"]))
        wanted = {"line": publications.restated_line}
        one = answers.window(1)
        page = await tx.queries.rows(domain.normalized, capture, where=wanted, window=one)
        rows.append({**found, **page.rows[0]})
    return rows


def print_whereabouts(settings: "Settings", prefix: str) -> None:
    """Print where the demo's things are, and commands that work on them as they stand."""
    typer.echo("Where it is:")
    for name, path in (
        ("publications", settings.data_dir / "files"),
        ("database", settings.data_dir / "spine.db"),
        ("raw bytes", settings.storage_local_path / "raw"),
        ("valid rows", settings.storage_local_path / "normalized"),
    ):
        typer.echo(f"  {name:<13} {shortest(path)}")
    typer.echo("Look around; the demo makes everything anew:")
    for arguments in (
        ("query", "weeks"),
        ("query", "symbols", "--tier T1 --top 10"),
        ("query", "rejects", "--tier T2"),
        ("query", "captures", "--tier OTC"),
        ("execution", "list"),
        ("up",),
    ):
        typer.echo(f"  {prefix} {spine(*arguments)}")
