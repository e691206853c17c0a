"""UTC, always: the one way the product asks for the time of day.

Leases and schedules do not use it; they compare times inside the database.
"""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment, timezone-aware, cut to milliseconds as both databases keep it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)
