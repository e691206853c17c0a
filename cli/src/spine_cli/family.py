"""What an execution led to, as it stands."""

from collections.abc import Container
from typing import TYPE_CHECKING

from spine_common.core.execution import Execution
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import TriggerSource

if TYPE_CHECKING:
    from spine_common.framework.ports.database import Transaction


async def below(
    tx: "Transaction", execution_id: ExecutionId, *, but: Container[TriggerSource] = ()
) -> list[Execution]:
    """Return children and theirs, parents first, without those a source in ``but`` ordered."""
    found: list[Execution] = []
    for child in await tx.ledger.children(execution_id):
        if child.trigger_source not in but:
            found += [child, *await below(tx, child.execution_id, but=but)]
    return found
