"""Whether the ledger tells one consistent story, and how its executions are rebuilt from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from spine_common.core.errors import SpineError
from spine_common.core.execution import TERMINAL_EVENTS, Execution, fold
from spine_common.core.ids import ExecutionId
from spine_common.framework.ports.audit import History
from spine_common.framework.ports.database import Database, Transaction

_PAGE = 500
_MOST_SHOWN = 1000
Progress = Callable[[int], None]


class LedgerCorrupt(SpineError):
    """Events that tell no execution; nothing is rebuilt from them."""

    code = "LEDGER_CORRUPT"


@dataclass(frozen=True, slots=True)
class Violation:
    """One promise of the ledger that does not hold."""

    execution_id: ExecutionId
    rule: str
    """``sequence``, ``terminal``, ``fold``, ``projection`` or ``children``."""
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


async def verify(database: Database, progress: Progress = lambda _: None) -> Audited:
    """Check every execution: sequence, end, fold, stored row, children. Nothing is written.

    ``progress`` hears how many executions were read.
    """
    executions = events = 0
    violations: list[Violation] = []
    above: ExecutionId | None = None
    while True:
        async with database.reading() as tx:
            page = await tx.audit.histories(above=above, limit=_PAGE)
        for history in page:
            violations += violations_of(history)
            events += len(history.events)
        executions += len(page)
        progress(executions)
        if len(page) < _PAGE:
            break
        above = page[-1].execution_id
    async with database.reading() as tx:
        violations += [
            Violation(one, "projection", "it is stored and no event tells of it")
            for one in await tx.audit.without_events(_MOST_SHOWN)
        ]
        violations += [
            Violation(family.parent_id, "children", family.problem)
            for family in await tx.audit.contradictions(_MOST_SHOWN)
        ]
    return Audited(executions, events, violations)


def violations_of(history: History) -> list[Violation]:
    """Return what is wrong with one execution's events and with the row made of them."""
    found: list[tuple[str, str]] = []
    sequence = [event.seq for event in history.events]
    if sequence != list(range(1, len(sequence) + 1)):
        found.append(("sequence", f"the events are numbered {sequence}"))
    ends = [event.type for event in history.events if event.type in TERMINAL_EVENTS]
    if len(ends) > 1:
        found.append(("terminal", f"it ended {len(ends)} times: {', '.join(ends)}"))
    try:
        folded = fold(history.events)
    except (SpineError, KeyError, ValueError) as error:
        found.append(("fold", str(error) or repr(error)))
    else:
        if history.stored is None:
            found.append(("projection", "no execution is stored for its events"))
        elif history.stored != folded:
            found.append(("projection", f"it differs from its events in {_difference(history)}"))
    return [Violation(history.execution_id, rule, detail) for rule, detail in found]


def _difference(history: History) -> str:
    folded, stored = fold(history.events), history.stored
    names = [name for name in Execution.__slots__ if getattr(folded, name) != getattr(stored, name)]
    return ", ".join(
        f"{name} ({getattr(stored, name)}, not {getattr(folded, name)})" for name in names
    )


async def replay(database: Database, progress: Progress = lambda _: None) -> Replayed:
    """Drop every stored execution and rebuild it from its events, in one transaction.

    Orders and workers wait meanwhile. Raises ``LedgerCorrupt``, with nothing changed, when
    events of an execution can't be folded.
    """
    async with database.transaction() as tx:
        await tx.audit.freeze()
        changed = await _compare(tx)
        removed = await tx.audit.drop()
        executions = events = 0
        above: ExecutionId | None = None
        while page := await tx.audit.histories(above=above, limit=_PAGE):
            await tx.audit.rebuild([fold(history.events) for history in page])
            executions += len(page)
            events += sum(len(history.events) for history in page)
            progress(executions)
            above = page[-1].execution_id
    return Replayed(executions, events, changed, removed)


async def _compare(tx: Transaction) -> list[ExecutionId]:
    """Return the executions stored otherwise than their events tell."""
    changed: list[ExecutionId] = []
    broken: list[Violation] = []
    above: ExecutionId | None = None
    while page := await tx.audit.histories(above=above, limit=_PAGE):
        for history in page:
            violations = violations_of(history)
            broken += [one for one in violations if one.rule != "projection"]
            if violations:
                changed.append(history.execution_id)
        above = page[-1].execution_id
    if broken:
        first = "; ".join(f"{one.execution_id}: {one.detail}" for one in broken[:3])
        raise LedgerCorrupt(
            f"The events of {len(broken)} executions can't be replayed: {first}.",
            remedy="Run `spine ledger verify` and restore the events from a backup.",
        )
    return changed
