"""`spine execution`: what was run, everything the ledger knows of one run, and its end."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from spine_cli.commands.cancel import cancel
from spine_cli.documents import event_document, execution_document
from spine_cli.embedded import opened, quiet_settings
from spine_cli.naming import execution_named
from spine_cli.options import ExecutionIdArgument, Json
from spine_cli.progress import Snapshot, note, partition_text, rows_text, seconds
from spine_cli.render import Field, print_json, print_table, printable
from spine_cli.watch import look
from spine_common.core.execution import Event, Execution, Status
from spine_common.core.ids import ExecutionId

app = typer.Typer(help="List executions, show one, cancel one.", no_args_is_help=True)
app.command("cancel")(cancel)

StatusOption = Annotated[Status | None, typer.Option("--status", help="Only those that are.")]
OfPipeline = Annotated[str | None, typer.Option("--pipeline", help="Only those of it.")]
Limit = Annotated[
    int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="How many at most.")
]

_FIELDS = [
    Field("created_at", "ordered (UTC)"),
    Field("pipeline", "pipeline"),
    Field("partition", "partition"),
    Field("status", "status"),
    Field("rows", "rows"),
    Field("seconds", "s", is_number=True),
    Field("execution_id", "execution"),
]
_EVENT_FIELDS = [
    Field("seq", "#", is_number=True),
    Field("at", "at (UTC)"),
    Field("type", "event"),
    Field("payload", "what it says"),
]


@app.command("list")
def list_executions(
    *,
    status: StatusOption = None,
    pipeline: OfPipeline = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List the newest executions."""
    executions = asyncio.run(_recent(status, pipeline, limit))
    if json:
        print_json({"executions": [execution_document(execution) for execution in executions]})
    else:
        print_table("", _FIELDS, [_row(execution) for execution in executions])


async def _recent(status: Status | None, pipeline: str | None, limit: int) -> list[Execution]:
    async with opened(quiet_settings()) as platform:
        name = platform.registry.pipeline(pipeline).name if pipeline else None
        async with platform.database.reading() as tx:
            return await tx.ledger.recent(status=status, pipeline=name, limit=limit)


@app.command("status", help="The same as show.")
@app.command()
def show(execution_id: ExecutionIdArgument, *, json: Json = False) -> None:
    """Show an execution: what was ordered, what happened, what came of it."""
    snapshot, events = asyncio.run(_whole(execution_named(execution_id)))
    execution = snapshot.execution
    if json:
        document = execution_document(execution)
        document["events"] = [event_document(event) for event in events]
        document["children"] = [execution_document(child) for child in snapshot.children]
        print_json(document)
        return
    for name, value in _facts(snapshot):
        if value:
            typer.echo(f"{name:<10} {printable(value)}")
    if snapshot.children:
        print_table("children", _FIELDS, [_row(child) for child in snapshot.children])
    print_table("events", _EVENT_FIELDS, _event_rows(events))


async def _whole(execution_id: ExecutionId) -> tuple[Snapshot, list[Event]]:
    async with opened(quiet_settings()) as platform, platform.database.reading() as tx:
        return await look(platform, tx, execution_id), await tx.ledger.events(execution_id)


def _facts(snapshot: Snapshot) -> Sequence[tuple[str, str]]:
    execution = snapshot.execution
    now = datetime.now(UTC)
    took = seconds(execution, now)
    return (
        ("execution", execution.execution_id),
        ("pipeline", execution.pipeline),
        ("partition", partition_text(execution)),
        ("status", f"{execution.status}, attempt {execution.attempt}"),
        ("why", note(execution, snapshot.retry_due.get(execution.execution_id), now)),
        ("took", f"{took:.2f} s" if took is not None else ""),
        ("parameters", _pairs(execution.params)),
        ("result", _pairs(execution.result)),
        ("lane", execution.lane),
        ("ordered by", execution.trigger_source),
        ("parent", execution.parent_id or ""),
    )


def _row(execution: Execution) -> dict[str, Any]:
    took = seconds(execution, datetime.now(UTC))
    return {
        **execution_document(execution),
        "partition": partition_text(execution),
        "rows": rows_text(execution),
        "seconds": f"{took:.2f}" if took is not None else "",
    }


def _event_rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    # The first event repeats the order, which is shown already.
    return [
        {**event_document(event), "payload": _pairs(event.payload) if event.seq > 1 else ""}
        for event in events
    ]


def _pairs(values: Any) -> str:
    return "  ".join(f"{name}={value}" for name, value in values.items() if value not in (None, []))
