"""Which capture a question is about: the one named, the one known at a moment, or the latest."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from spine_common.core import moments
from spine_common.core.capture import Capture
from spine_common.core.domain import Domain
from spine_common.core.errors import CaptureNotFound, InvalidDate, InvalidParams, MissingRequired
from spine_common.core.ids import CaptureId
from spine_common.core.partition import Partition, PartitionKind
from spine_common.framework.ports.database import Transaction

# In a query an unescaped + arrives as a space.
_LOST_PLUS = re.compile(r"(?<=\d) (?=\d\d:?\d\d$)")


@dataclass(frozen=True, slots=True)
class Vintage:
    """What a question says about it: the partition's fields as far as given, and which capture."""

    known: Mapping[str, str]
    capture_id: str | None = None
    as_of: datetime | None = None


def read_vintage(
    kind: PartitionKind, given: Mapping[str, str], capture_id: str | None, as_of: str | None
) -> Vintage:
    """Read which vintage is meant; ``InvalidParams`` for what contradicts itself or is missing."""
    known = kind.known(given)
    if capture_id is not None and as_of is not None:
        raise InvalidParams(
            "capture_id and as_of can't be given together.",
            remedy="Name a capture, or a moment and a partition.",
            field="as_of",
            value=as_of,
        )
    missing = next((field for field in kind.fields if field.name not in known), None)
    if capture_id is None and missing is not None:
        raise MissingRequired(
            f"{missing.name} is required: {missing.description}.",
            remedy="Or name a capture by capture_id.",
            field=missing.name,
        )
    return Vintage(known, capture_id, read_moment(as_of) if as_of is not None else None)


def read_moment(text: str) -> datetime:
    """Return an ISO time in UTC; a bare day means its end, a time without a zone is UTC."""
    try:
        return moments.read_moment(_LOST_PLUS.sub("+", text) if "T" in text else text)
    except ValueError as error:
        raise InvalidDate(
            f"as_of can't be {text[:80]!r}.",
            remedy="It is an ISO time like 2025-12-15T14:00:00Z, or a day for its end.",
            field="as_of",
            value=text,
        ) from error


async def choose_capture(
    tx: Transaction, domain: Domain, kind: PartitionKind, vintage: Vintage
) -> Capture:
    """Return the capture a question is about; ``CaptureNotFound`` if there is none."""
    if vintage.capture_id is not None:
        return await _named(tx, domain, vintage, CaptureId(vintage.capture_id))
    partition = kind.of(vintage.known)
    if vintage.as_of is not None:
        return await tx.queries.capture_as_of(partition, vintage.as_of)
    return await _latest(tx, partition)


async def _named(
    tx: Transaction, domain: Domain, vintage: Vintage, capture_id: CaptureId
) -> Capture:
    capture = await tx.captures.get(capture_id)
    if capture.partition.domain != domain.name:
        raise CaptureNotFound(
            f"{capture_id} is a capture of {capture.partition.domain}, not of {domain.name}."
        )
    for name, value in vintage.known.items():
        if capture.partition[name] != value:
            raise InvalidParams(
                f"{name} can't be {value!r}: {capture_id} is of {capture.partition}.",
                remedy=f"Leave {name} out, or name another capture.",
                field=name,
                value=value,
            )
    return capture


async def _latest(tx: Transaction, partition: Partition) -> Capture:
    latest = await tx.captures.latest(partition)
    if latest is None:
        raise CaptureNotFound(
            f"Nothing has been captured for {partition}.",
            remedy="Order the pipeline that ingests it.",
        )
    return latest
