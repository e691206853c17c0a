"""Executions whose worker is gone: the attempt failed with it, and the next one is scheduled."""

import time

from spine_common.core.execution import Status
from spine_common.framework.lease import fail_expired
from spine_common.framework.ports.overdue import Expired
from spine_scheduler.sweepers.sweep import Sweep, through


async def sweep(it: Sweep) -> int:
    """Fail attempts whose lease is long over, and give them their verdict.

    A worker that died has its message redelivered, and the next one takes over. This is for the
    rest: the message is lost too, or the worker hangs with it. Every lease is looked at twice,
    more than a heartbeat apart: after an outage of the database all leases are over, and their
    workers are well and about to renew them.
    """
    platform = it.platform
    before = dict(it.expired)
    it.expired.clear()

    async def take_up(one: Expired) -> bool:
        now = time.monotonic()
        seen = it.expired[one] = before.get(one, now)
        if now - seen <= platform.terms.heartbeat:
            return False
        async with platform.database.transaction() as tx:
            # Whoever holds the row is at its end just now.
            locked = await tx.ledger.lock(one.execution_id, wait=False)
            if (
                locked is None
                or locked.execution.status is not Status.RUNNING
                or locked.lease_seconds_left > 0
            ):
                return False
            failed = await fail_expired(tx, locked.execution)
            await it.judge(tx, failed)
        platform.metrics.lease_expiries.inc()
        return True

    ask = it.asking(lambda overdue, *page: overdue.leases(it.grace, *page))
    return await through(ask, take_up, "leases")
