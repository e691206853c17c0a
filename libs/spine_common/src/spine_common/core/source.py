"""A source file is a publication as it was fetched; reading it gives lines and a partition."""

import hashlib
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from spine_common.core.partition import Partition


def sha256(content: bytes) -> str:
    """Return the hex digest the object store and the manifest name content by."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The bytes as fetched and the name they came under."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RawCapture:
    """What reading a source file gives, before any row is judged.

    ``lines`` has the columns of the domain's raw dataset; every source line after the header is
    in it, in order. ``content_sha256`` is taken after decompression, so the same publication
    plain and gzipped is the same content.
    """

    partition: Partition
    format: str
    header: str
    lines: pl.DataFrame = field(repr=False)
    content_sha256: str
    source_updated_on: date | None
