"""What can become of a dead letter."""

from enum import StrEnum


class LetterState(StrEnum):
    """What became of a dead letter."""

    WAITING = "waiting"
    """For a person: to retry it or to discard it."""
    RESCHEDULED = "rescheduled"
    """Its execution is tried again by itself, or was."""
    MOOT = "moot"
    """A late copy: its execution had gone on or ended without it."""
    RETRIED = "retried"
    """A person had it tried again, as ``retry_execution_id`` where there is one."""
    DISCARDED = "discarded"
    """A person gave it up, and said why."""
