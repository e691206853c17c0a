"""A capture is one immutable vintage of a partition: what the source said when we took it."""

from dataclasses import dataclass
from datetime import date, datetime

from spine_common.core.ids import CaptureId, CaptureNo
from spine_common.core.partition import Partition


@dataclass(frozen=True, slots=True)
class NewCapture:
    """What a capture will be once the manifest admits it."""

    partition: Partition
    content_sha256: str
    raw_key: str
    """Object-store key of the bytes as fetched."""
    source_name: str
    source_format: str
    source_updated_on: date | None
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Capture(NewCapture):
    """An admitted capture. ``version`` counts a partition's captures from 1."""

    capture_id: CaptureId
    capture_no: CaptureNo
    version: int
    captured_at: datetime
    execution_id: str


def capture_id_for(new: NewCapture, version: int) -> CaptureId:
    """Name a capture by what it is, so that two installations give it the same name.

    >>> # finra.otc_transparency, week 2025-11-14, tier OTC, first capture
    >>> # otc_transparency.2025-11-14.OTC.v1.9f3ac2d1
    """
    domain = new.partition.domain.rsplit(".", 1)[-1]
    return CaptureId(f"{domain}.{new.partition.slug}.v{version}.{new.content_sha256[:8]}")
