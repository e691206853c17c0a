"""Whether the work in this process has been held up for so long that a person should know."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spine_common.core.errors import DatabaseUnavailable, Unavailable

if TYPE_CHECKING:
    from stamina.instrumentation import RetryDetails

PATIENCE = 20.0
_RECENT = 8.0
"""Longer than the longest pause between two tries."""


@dataclass
class Trouble:
    """Hears of every try that failed. The services wait for ever; a person at a prompt does not."""

    since: float = 0.0
    last: float = 0.0
    error: Exception | None = None

    def heard(self, details: "RetryDetails") -> None:
        """Note a try that failed and will be made again."""
        if not isinstance(details.caused_by, Unavailable):
            return
        now = time.monotonic()
        if now - self.last > _RECENT:
            self.since = now
        self.last, self.error = now, details.caused_by

    def check(self) -> None:
        """Raise ``DatabaseUnavailable`` once the same trouble has lasted too long."""
        lasting = self.last - self.since
        if time.monotonic() - self.last < _RECENT and lasting > PATIENCE:
            raise DatabaseUnavailable(
                f"Nothing could be written for {lasting:.0f} s. {self.error}",
                remedy="What was ordered stays recorded and goes on with the next run.",
            )
