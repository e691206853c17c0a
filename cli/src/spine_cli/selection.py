"""Which capture a question is about: named, as of a moment, or the latest week of a tier."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from spine_cli.invocation import spine
from spine_common.core.capture import Capture
from spine_common.core.errors import (
    CaptureNotFound,
    InvalidDate,
    InvalidParams,
    MissingRequired,
)
from spine_common.core.ids import CaptureId
from spine_common.core.moments import read_moment

if TYPE_CHECKING:
    from spine_common.core.domain import Domain
    from spine_common.framework.ports.database import Transaction


@dataclass(frozen=True, slots=True)
class Question:
    """What was typed after `spine query …`, not judged yet; None is not given."""

    tier: str | None = None
    week_ending: str | None = None
    capture_id: str | None = None
    as_of: str | None = None

    @property
    def moment(self) -> datetime | None:
        """Return the time asked about, UTC; a mere day means its end."""
        return None if self.as_of is None else parse_moment(self.as_of)

    def known(self, domain: "Domain") -> Mapping[str, str]:
        """Return the partition fields given, in canonical form; errors say what would be right."""
        given = {"tier": self.tier, "week_ending": self.week_ending}
        return domain.partition.known(given) if domain.partition else {}


def parse_moment(text: str, option: str = "--as-of") -> datetime:
    """Read an ISO date or time; without an offset it is UTC, a mere day means its end."""
    try:
        return read_moment(text)
    except ValueError:
        raise InvalidDate(
            f"{option} can't be {text!r}.",
            remedy="It is an ISO date or time, like 2025-12-20 or 2025-12-20T09:30:00Z.",
            field=option.lstrip("-").replace("-", "_"),
        ) from None


async def find_capture(tx: "Transaction", domain: "Domain", question: Question) -> Capture:
    """Return the capture asked about.

    A capture named is that one; else it is the one known at the moment asked about, or now, for
    the week asked about, or the latest one of that tier. Raises ``CaptureNotFound``, and
    ``MissingRequired`` when there are several tiers to choose from.
    """
    if question.capture_id is not None:
        if question.as_of is not None:
            raise InvalidParams("--capture-id and --as-of exclude each other.", remedy="Give one.")
        capture = await tx.captures.get(CaptureId(question.capture_id))
        known = question.known(domain)
        if not known.items() <= capture.partition.params().items():
            raise InvalidParams(
                f"{capture.capture_id} is not a capture of {' '.join(known.values())}.",
                remedy="Leave --tier and --week-ending out, or name a capture of them.",
            )
        return capture
    assert domain.partition is not None, "only such domains are asked"  # noqa: S101 - invariant
    known, moment = question.known(domain), question.moment
    fitting = [
        partition
        for partition in await tx.captures.partitions(domain.name)
        if known.items() <= partition.params().items()
    ]
    tiers = sorted({partition["tier"] for partition in fitting})
    if len(tiers) > 1:
        raise MissingRequired(
            "There are several tiers.", remedy=f"Add --tier {' or --tier '.join(tiers)}."
        )
    for partition in sorted(fitting, key=lambda p: p.business_date, reverse=True):
        if moment is None:
            if latest := await tx.captures.latest(partition):
                return latest
        else:
            try:
                return await tx.queries.capture_as_of(partition, moment)
            except CaptureNotFound:
                continue
    of = f" of {' '.join(known.values())}" if known else ""
    by = f" by {moment:%Y-%m-%d %H:%M} UTC" if moment else " yet"
    raise CaptureNotFound(
        f"Nothing{of} had been captured{by}." if moment else f"Nothing{of} is captured{by}.",
        remedy=f"See {spine('query', 'weeks')} for what there is.",
    )
