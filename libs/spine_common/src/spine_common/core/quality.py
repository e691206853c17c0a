"""A quality check is a question asked of a partition's numbers, stored with its answer."""

from dataclasses import dataclass
from enum import StrEnum


class CheckStatus(StrEnum):
    """How a check came out."""

    PASSED = "passed"
    WARNED = "warned"
    """Unusual, worth a look; does not block readiness."""
    FAILED = "failed"
    """The partition is not right; readiness is blocked."""


@dataclass(frozen=True, slots=True)
class QualityCheck:
    """The answer to one check: what was expected, what was observed."""

    name: str
    status: CheckStatus
    expected: str
    observed: str
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether this check blocks readiness."""
        return self.status is CheckStatus.FAILED


def check(
    name: str, *, holds: bool, expected: object, observed: object, detail: str = ""
) -> QualityCheck:
    """Answer a check with passed or failed."""
    status = CheckStatus.PASSED if holds else CheckStatus.FAILED
    return QualityCheck(name, status, str(expected), str(observed), "" if holds else detail)
