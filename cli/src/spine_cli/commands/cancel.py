"""`spine execution cancel`: an order and everything it led to, ended as soon as may be."""

import asyncio
from collections import Counter
from typing import Annotated

import typer

from spine_cli.documents import execution_document
from spine_cli.embedded import opened, quiet_settings
from spine_cli.family import below
from spine_cli.invocation import spine
from spine_cli.naming import execution_named, no_execution
from spine_cli.options import ExecutionIdArgument, Json
from spine_cli.progress import partition_text
from spine_cli.render import print_json
from spine_common.core.errors import ExecutionNotFound
from spine_common.core.execution import Execution
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import TriggerSource

Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why, for the ledger.")]


def cancel(execution_id: ExecutionIdArgument, *, reason: Reason = "", json: Json = False) -> None:
    """Cancel an execution and its open children; twice is once, exit code 1 if it had ended.

    A worker that is at it stops at its next heartbeat, and what it made is not written.
    """
    cancelled, children = asyncio.run(_cancel(execution_named(execution_id), reason))
    if json:
        documents = [execution_document(child) for child in children]
        print_json({**execution_document(cancelled), "children": documents})
        return
    partition = partition_text(cancelled)
    status = typer.style(cancelled.status, fg="magenta", bold=True)
    said = (status, cancelled.pipeline, partition, cancelled.execution_id)
    typer.echo("  ".join(filter(None, said)))
    if children:
        counted = Counter(child.status for child in children)
        ended = ", ".join(f"{count:,} {status}" for status, count in counted.items())
        typer.echo(f"  children  {ended}")
    typer.echo(f"Next: {spine('execution', 'show', cancelled.execution_id)}")


async def _cancel(execution_id: ExecutionId, reason: str) -> tuple[Execution, list[Execution]]:
    from spine_common.framework.cancel import cancel as end  # noqa: PLC0415 - heavy

    async with opened(quiet_settings()) as platform:
        try:
            cancelled = await end(platform.database, platform.registry, execution_id, reason)
        except ExecutionNotFound:
            raise no_execution(execution_id) from None
        async with platform.database.reading() as tx:
            # What a person had tried again goes on.
            return cancelled, await below(tx, execution_id, but={TriggerSource.DLQ})
