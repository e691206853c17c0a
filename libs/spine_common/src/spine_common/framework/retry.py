"""Whether a failed attempt is tried again, and when: exponential backoff with jitter."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from spine_common.core.errors import Kind
from spine_common.core.pipeline import Pipeline


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """``max_retries`` attempts beyond the first; waits grow from ``base`` to ``cap`` seconds.

    A pipeline may declare its own ``max_retries``; ``by_pipeline`` is what an operator says, by
    canonical name, and counts before either.
    """

    max_retries: int = 3
    base: float = 5.0
    cap: float = 900.0
    by_pipeline: Mapping[str, int] = field(default_factory=dict)

    def of(self, pipeline: Pipeline) -> "RetryPolicy":
        """Return the policy for one pipeline."""
        declared = self.max_retries if pipeline.max_retries is None else pipeline.max_retries
        return replace(self, max_retries=self.by_pipeline.get(pipeline.name, declared))

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
