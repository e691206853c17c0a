"""Whether a failed attempt is tried again, and when: exponential backoff with jitter."""

import random
from dataclasses import dataclass

from spine_common.core.errors import Kind


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``max_retries`` attempts beyond the first; waits grow from ``base`` to ``cap`` seconds."""

    max_retries: int = 3
    base: float = 5.0
    cap: float = 900.0

    def delay(self, attempt: int) -> float | None:
        """Return how long to wait after a failed attempt (from 1), or None to give up.

        Jitter over the upper half, so that a hundred failures of one cause do not come back
        as one.
        """
        if attempt > self.max_retries:
            return None
        ceiling = min(self.cap, self.base * 2.0 ** (attempt - 1))
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, no secret

    def verdict(self, kind: Kind, attempt: int) -> float | None:
        """Return the wait before the next attempt, or None: only transient failures get one."""
        return self.delay(attempt) if kind is Kind.TRANSIENT else None
