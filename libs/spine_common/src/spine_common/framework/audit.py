"""Whether the ledger tells one consistent story, and how its executions are rebuilt from it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from spine_common.core.errors import SpineError
from spine_common.core.execution import TERMINAL_EVENTS, Event, Execution, fold
from spine_common.core.ids import ExecutionId
from spine_common.framework.ports.audit import History, LedgerCorrupt, Unreadable
from spine_common.framework.ports.database import Database, Transaction

_PAGE = 500
_MOST_SHOWN = 1000
_MOST_NAMED = 3
_LOST = "lost"
Progress = Callable[[int], None]

# What the payloads of events are not checked for when they are folded.
_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("pipeline", "domain", "logical_key"), str),
    **dict.fromkeys(("partition_key", "parent_id", "error_code", "error"), str | None),
    **dict.fromkeys(("params", "result"), dict),
    **dict.fromkeys(("attempt", "fence"), int),
    "created_at": datetime,
}


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise of the ledger that does not hold."""

    execution_id: ExecutionId
    rule: str
    """``sequence``, ``terminal``, ``fold`` or ``lost``: its events are damaged, or some are gone.

    ``projection``: what is stored is not what they tell. ``children``: they contradict it.
    """
    detail: str


@dataclass(frozen=True, slots=True)
class Audited:
    """What was read, and what is wrong with it."""

    executions: int
    events: int
    violations: Sequence[Violation] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was rebuilt: ``changed`` were stored otherwise, ``removed`` no event tells of."""

    executions: int
    events: int
    changed: Sequence[ExecutionId] = field(repr=False)
    removed: int
    given_up: Sequence[Violation] = field(repr=False)
    """What had been stored of events that are lost, and is not any more."""


async def verify(database: Database, progress: Progress = lambda _: None) -> Audited:
    """Check every execution: sequence, end, fold, stored row, children. Nothing is written.

    ``progress`` hears how many executions were read.
    """
    executions = events = 0
    violations: list[Violation] = []
    async for page in _pages(database.reading):
        for history in page:
            violations += _examined(history)[1]
            events += len(history.events)
        executions += len(page)
        progress(executions)
    async with database.reading() as tx:
        violations += await _untold(tx)
        violations += [
            Violation(family.parent_id, "children", family.problem)
            for family in await tx.audit.contradictions(_MOST_SHOWN)
        ]
    return Audited(executions, events, violations)


async def _pages(
    opened: Callable[[], AbstractAsyncContextManager[Transaction]],
) -> AsyncIterator[Sequence[History]]:
    """Yield all histories by execution id, some at a time, each time in what ``opened`` gives."""
    above: ExecutionId | None = None
    while True:
        async with opened() as tx:
            page = await tx.audit.histories(above=above, limit=_PAGE)
        if page:
            yield page
        if len(page) < _PAGE:
            return
        above = page[-1].execution_id


async def _untold(tx: Transaction) -> list[Violation]:
    untold = await tx.audit.without_events()
    return [Violation(one, _LOST, "it is stored and no event tells of it") for one in untold]


def _examined(history: History) -> tuple[Execution | None, list[Violation]]:
    """Return what one execution's events tell, and what is wrong with them or what is stored."""
    found: list[tuple[str, str]] = []
    sequence = [event.seq for event in history.events]
    if sequence != list(range(1, len(sequence) + 1)):
        found.append(("sequence", f"the events are numbered {sequence}"))
    readable = [event for event in history.events if isinstance(event, Event)]
    ends = [event.type for event in readable if event.type in TERMINAL_EVENTS]
    if len(ends) > 1:
        found.append(("terminal", f"it ended {len(ends)} times: {', '.join(ends)}"))
    if history.stored is not None and history.stored.seq > max(sequence):
        last = f"its events end at #{max(sequence)}"
        found.append((_LOST, f"it is stored as of event #{history.stored.seq}, and {last}"))
    folded = None
    try:
        folded = _folded(history)
    except LedgerCorrupt as error:
        found.append(("fold", error.message))
    if folded is not None and not found and history.stored != folded:
        found.append(("projection", _difference(history.stored, folded)))
    return folded, [Violation(history.execution_id, rule, detail) for rule, detail in found]


def _folded(history: History) -> Execution:
    events: list[Event] = []
    for event in history.events:
        if isinstance(event, Unreadable):
            raise LedgerCorrupt(event.why)
        events.append(event)
    try:
        folded = fold(events)
    except KeyError as error:
        raise LedgerCorrupt(f"an event does not say {error}") from error
    except (SpineError, ValueError, TypeError) as error:
        raise LedgerCorrupt(str(error) or repr(error)) from error
    for name, kind in _KINDS.items():
        if not isinstance(value := getattr(folded, name), kind):
            raise LedgerCorrupt(f"an event says that {name} is {value!r}")
    return folded


def _difference(stored: Execution | Unreadable | None, folded: Execution) -> str:
    if stored is None:
        return "no execution is stored for its events"
    if isinstance(stored, Unreadable):
        return f"what is stored can't be read: {stored.why}"
    names = [name for name in Execution.__slots__ if getattr(folded, name) != getattr(stored, name)]
    differ = (f"{name} ({getattr(stored, name)}, not {getattr(folded, name)})" for name in names)
    return f"it differs from its events in {', '.join(differ)}"


async def replay(
    database: Database, progress: Progress = lambda _: None, *, accept_loss: bool = False
) -> Replayed:
    """Drop every stored execution and rebuild it from its events, in one transaction.

    Orders and workers wait meanwhile. Raises ``LedgerCorrupt``, with nothing changed, when
    events of an execution can't be folded, or are fewer than it was stored from; ``accept_loss``
    takes it back to those that are left, and removes it if there are none.
    """
    async with database.transaction() as tx:
        await tx.audit.freeze()
        changed, damage = await _compare(tx)
        untold = await _untold(tx)
        lost = [one for one in damage if one.rule == _LOST] + untold
        rest = [one for one in damage if one.rule != _LOST]
        if rest or (lost and not accept_loss):
            raise _corrupt(rest, [] if accept_loss else lost)
        await tx.audit.drop()
        executions = events = 0
        async for page in _pages(lambda: nullcontext(tx)):
            await tx.audit.rebuild([_folded(history) for history in page])
            executions += len(page)
            events += sum(len(history.events) for history in page)
            progress(executions)
        # Only now: whether one works itself or through its children, they tell.
        await tx.audit.let_go()
    return Replayed(executions, events, changed, len(untold), lost)


async def _compare(tx: Transaction) -> tuple[list[ExecutionId], list[Violation]]:
    """Return the executions stored otherwise than their events tell, and what these can't tell."""
    changed: list[ExecutionId] = []
    damage: list[Violation] = []
    by_key: dict[str, ExecutionId] = {}
    async for page in _pages(lambda: nullcontext(tx)):
        for history in page:
            folded, violations = _examined(history)
            damage += [one for one in violations if one.rule != "projection"]
            if violations:
                changed.append(history.execution_id)
            if folded is not None and folded.is_open:
                first = by_key.setdefault(folded.logical_key, folded.execution_id)
                if first != folded.execution_id:
                    twin = f"it would be open for the same as {first}"
                    damage.append(Violation(folded.execution_id, "fold", twin))
    return changed, damage


def _corrupt(damage: Sequence[Violation], lost: Sequence[Violation]) -> LedgerCorrupt:
    told: dict[ExecutionId, str] = {}
    for one in [*damage, *lost]:
        told.setdefault(one.execution_id, one.detail.rstrip("."))
    names = [f"{name}: {detail}" for name, detail in told.items()]
    if len(names) > _MOST_NAMED:
        names[_MOST_NAMED:] = [f"and {len(names) - _MOST_NAMED:,} more"]
    whose = "1 execution" if len(told) == 1 else f"{len(told):,} executions"
    remedy = "Run `spine ledger verify` and restore the events from a backup."
    if not damage:
        remedy += (
            " If there is none, `spine ledger replay --accept-loss` takes executions back to the"
            " events that are left, and removes those that have none."
        )
    return LedgerCorrupt(
        f"The events of {whose} can't be replayed: {'; '.join(names)}.", remedy=remedy
    )
