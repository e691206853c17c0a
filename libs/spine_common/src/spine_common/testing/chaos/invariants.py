"""What must hold whatever has happened: the promises I1 to I8, each asked of the platform."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from spine_common.bootstrap.platform import Platform
from spine_common.contracts.routing import DEAD_LETTER_QUEUE, work_queue
from spine_common.core.execution import TERMINAL_EVENTS, EventType
from spine_common.core.ids import ExecutionId
from spine_common.core.pipeline import WORK_ROADS, WORK_STAGES
from spine_common.framework.audit import verify
from spine_common.framework.ports.deadletters import LetterFilter
from spine_common.framework.ports.queries import Window
from spine_common.testing.soundness import digests

DOMAIN = "finra.otc_transparency"
REFUSED_QUEUE = "spine.dlq.refused"


@dataclass(frozen=True, slots=True)
class Expected:
    """What a scenario ordered and what must have come of it."""

    orders: Collection[ExecutionId]
    partitions: Collection[str]
    reference: Mapping[str, str] = field(repr=False)
    """The tables' hashes of the run without faults."""
    poison: int = 0
    """How many dead letters wait for a person: those the scenario injected."""
    queues: bool = True
    """Whether the broker is there to be asked."""


Invariant = Callable[[Platform, Expected], Awaitable[list[str]]]


async def every_order_ends_once(platform: Platform, expected: Expected) -> list[str]:
    """I1: every accepted command ends in exactly one terminal event, and in success here."""
    wrong = []
    async with platform.database.reading() as tx:
        for order in expected.orders:
            events = await tx.ledger.events(order)
            ends = [event.type.value for event in events if event.type in TERMINAL_EVENTS]
            if ends not in (["completed"], ["skipped"]):
                wrong.append(f"{order} ended {ends or 'never'}")
        recent = await tx.ledger.recent(limit=100_000)
    return wrong + [f"{one.execution_id} is still {one.status}" for one in recent if one.is_open]


async def every_partition_once(platform: Platform, expected: Expected) -> list[str]:
    """I2: every expected partition is captured once, and each stage's work is done for it."""
    async with platform.database.reading() as tx:
        captures = (await tx.queries.captures(DOMAIN, window=Window(limit=None))).rows
        coverage = (await tx.queries.coverage(DOMAIN, window=Window(limit=None))).rows
    captured = sorted(row["partition_key"] for row in captures)
    wrong = [
        f"{row['partition_key']}: {row['stages_done']} stages done"
        for row in coverage
        if row["stages_done"] != len(WORK_STAGES)
    ]
    if captured != sorted(expected.partitions):
        wrong.append(f"captured {captured}, expected {sorted(expected.partitions)}")
    return wrong


async def numbers_are_the_same(platform: Platform, expected: Expected) -> list[str]:
    """I3: every table holds what it holds when nothing goes wrong."""
    found = await digests(platform)
    return [f"{name} differs" for name, was in expected.reference.items() if found[name] != was]


async def rows_add_up(platform: Platform, _expected: Expected) -> list[str]:
    """I4: raw rows are normalized or rejected, and shares sum to one."""
    wrong = []
    domain = platform.registry.domain(DOMAIN)
    _, share = platform.registry.calc("venue_share")
    assert domain.normalized is not None  # noqa: S101 - this domain has one
    async with platform.database.reading() as tx:
        for row in (await tx.queries.coverage(DOMAIN, window=Window(limit=None))).rows:
            capture = await tx.captures.get(row["capture_id"])
            normal = await tx.queries.rows(domain.normalized, capture, window=Window(limit=1))
            if row["rows"] != normal.total + row["rejected"]:
                wrong.append(
                    f"{row['partition_key']}: {row['rows']} raw,"
                    f" {normal.total} normalized, {row['rejected']} rejected"
                )
            shares = await tx.queries.rows(share.dataset, capture, window=Window(limit=None))
            total = sum(float(one["share"]) for one in shares.rows)
            if shares.rows and abs(total - 1.0) > 1e-6:  # noqa: PLR2004 - rounding of what is kept
                wrong.append(f"{row['partition_key']}: shares sum to {total}")
    return wrong


async def ledger_is_consistent(platform: Platform, _expected: Expected) -> list[str]:
    """I5, I6: sequences gapless, projection = fold, one continuation per parent and step."""
    audited = await verify(platform.database)
    return [f"{one.execution_id} {one.rule}: {one.detail}" for one in audited.violations]


async def fences_rise(platform: Platform, _expected: Expected) -> list[str]:
    """I7: each start has a higher fence, and what was committed has the last one."""
    wrong = []
    async with platform.database.reading() as tx:
        for execution in await tx.ledger.recent(limit=100_000):
            events = await tx.ledger.events(execution.execution_id)
            told = [event for event in events if "fence" in event.payload]
            fences = [one.payload["fence"] for one in told if one.type is EventType.STARTED]
            ends = [one.payload["fence"] for one in told if one.type in TERMINAL_EVENTS]
            if fences != sorted(set(fences)) or ends not in ([], fences[-1:]):
                wrong.append(f"{execution.execution_id} has fences {fences}, ended under {ends}")
    return wrong


async def all_is_at_rest(platform: Platform, expected: Expected) -> list[str]:
    """I8: queues, outbox and expired leases are empty; the letters waiting are the poison."""
    wrong = []
    async with platform.database.reading() as tx:
        rows, _ = await tx.outbox.depth()
        leases = await tx.overdue.leases(0, 100)
        letters = await tx.dead_letters.recent(Window(limit=20), LetterFilter())
    if rows:
        wrong.append(f"{rows} messages in the outbox")
    if leases:
        wrong.append(f"expired leases: {leases}")
    if letters.total != expected.poison:
        told = [f"{row['code']}: {row['reason'][:80]}" for row in letters.rows]
        wrong.append(f"{letters.total} dead letters wait, {expected.poison} expected: {told}")
    if expected.queues:
        names = [work_queue(*road) for road in WORK_ROADS]
        queues = [*names, DEAD_LETTER_QUEUE, REFUSED_QUEUE]
        waiting = {name: await platform.bus.waiting(name) for name in queues}
        wrong += [f"{count} messages in {name}" for name, count in waiting.items() if count]
    return wrong


EVERY: Mapping[str, Invariant] = {
    "I1": every_order_ends_once,
    "I2": every_partition_once,
    "I3": numbers_are_the_same,
    "I4": rows_add_up,
    "I5+I6": ledger_is_consistent,
    "I7": fences_rise,
    "I8": all_is_at_rest,
}


async def violations(platform: Platform, expected: Expected) -> list[str]:
    """Return everything that does not hold, each with the name of its promise."""
    return [
        f"{name}: {wrong}"
        for name, invariant in EVERY.items()
        for wrong in await invariant(platform, expected)
    ]
