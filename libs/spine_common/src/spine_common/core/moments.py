"""Which moment a person means who types a day or a time."""

import re
from datetime import UTC, date, datetime, time

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_moment(text: str) -> datetime:
    """Return an ISO time in UTC; a bare day means its end, a time without a zone is UTC.

    Raises ``ValueError`` for anything else. Other forms of a day (``20251215``, ``2025-W51``) are
    refused, too: they would mean its beginning.
    """
    if _DAY.fullmatch(text):
        return datetime.combine(date.fromisoformat(text), time.max, UTC)
    if not _DAY.match(text):
        raise ValueError(f"{text!r} does not begin with a day.")
    moment = datetime.fromisoformat(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} is before or after all times.") from error
