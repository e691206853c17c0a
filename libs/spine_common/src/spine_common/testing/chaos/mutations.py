"""The product with one of its guards taken away: a scenario must notice, or it proves nothing."""

import importlib
from collections.abc import Callable
from typing import Any

from spine_common.contracts.commands import Command
from spine_common.core.execution import EventType, Execution
from spine_common.core.ids import ExecutionId, Fence
from spine_common.framework.lease import LeaseTerms
from spine_common.framework.ports.database import Transaction
from spine_common.framework.ports.ledger import Locked


async def _claim_anything(
    tx: Transaction, command: Command, owner: str, terms: LeaseTerms, **_how: bool
) -> Execution:
    """Start whatever a message says, without a look at whether it was done already."""
    locked = await tx.ledger.lock(command.execution_id)
    assert locked is not None  # noqa: S101 - the scenarios send no inventions
    fence = Fence(locked.execution.fence + 1)
    payload = {"attempt": command.attempt, "fence": fence, "owner": owner}
    started = await tx.ledger.record(locked.execution, EventType.STARTED, payload)
    await tx.ledger.set_lease(command.execution_id, owner, terms.seconds)
    return started


async def _hold_nothing(tx: Transaction, claimed: Execution) -> Execution:
    """Take the execution as it stands, whoever has claimed it since."""
    locked = await tx.ledger.lock(claimed.execution_id)
    assert locked is not None  # noqa: S101 - as above
    return locked.execution


async def _look_without_locking(
    ledger: Any, execution_id: ExecutionId, **_how: bool
) -> Locked | None:
    """Read the row and let everybody else read it, too."""
    found = await ledger.get(execution_id)
    return None if found is None else Locked(found, 0.0)


async def _suspect_nobody(tx: Transaction, locked: Locked) -> bool:
    """Let what killed its worker run beside the others again."""
    del tx, locked
    return False


def _without_duplicate_check() -> None:
    _replace("spine_common.framework.runner", "claim", _claim_anything)


def _without_fence() -> None:
    for module in ("runner", "commit"):
        _replace(f"spine_common.framework.{module}", "hold_fence", _hold_nothing)


def _without_row_lock() -> None:
    ledger = importlib.import_module("spine_common.adapters.database.ledger")
    ledger.SqlLedger.lock = _look_without_locking


def _without_sweepers() -> None:
    _replace("spine_scheduler.leader", "CHORES", ())


def _without_turns() -> None:
    _replace("spine_common.framework.lease", "_has_lost_a_worker", _suspect_nobody)


def _replace(module: str, name: str, by: Any) -> None:
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError:
        return  # a service without that part
    assert hasattr(found, name), f"{module} has no {name} to take away"  # noqa: S101 - a typo here
    setattr(found, name, by)


MUTATIONS: dict[str, Callable[[], None]] = {
    "duplicate check": _without_duplicate_check,
    "fence": _without_fence,
    "row lock": _without_row_lock,
    "sweepers": _without_sweepers,
    "turn alone": _without_turns,
}


def mutate(name: str) -> None:
    """Take a guard away from this process."""
    MUTATIONS[name]()
