"""What a weekly file says: its lines, numbered, and the week and tier they belong to."""

import gzip
import io
import zlib
from collections.abc import Mapping
from typing import Any

import polars as pl

from spine_common.core.errors import SourceEmpty, SourceFormat, SourceTooLarge
from spine_common.core.partition import Partition
from spine_common.core.source import RawCapture, SourceFile, sha256
from spine_common.domains.finra.otc_transparency.belonging import find_partition
from spine_common.domains.finra.otc_transparency.fields import cut
from spine_common.domains.finra.otc_transparency.formats import read_header
from spine_common.domains.finra.otc_transparency.schema import RAW

MAX_UNPACKED_BYTES = 256 << 20
"""Five times the largest week there is; what is larger is no week, or a trap."""
MAX_LINES = 5_000_000
MAX_LINE_BYTES = 1 << 20
UNREADABLE = "\ufffd"
"""Stands for bytes that are no text; a line that has one is kept, and rejected."""

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CHUNK = 1 << 20


def parse_weekly_file(source: SourceFile, known: Mapping[str, Any]) -> RawCapture:
    """Read a weekly file, plain or gzipped, in any of its formats.

    ``known`` holds what the command says of the partition (``week_ending``, ``tier``, canonical);
    the file may not contradict it. Raises ``SourceEmpty``, ``SourceFormat``, ``SourceTooLarge``,
    ``PartitionContradicted``, ``PartitionAmbiguous``, ``InvalidTier`` or ``InvalidDate``; a single
    line that is wrong raises nothing and is left to ``normalize``.
    """
    content = unpack(source)
    _check_size(source.name, content)
    if not content or content.isspace():
        raise SourceEmpty(f"{source.name} is empty.")
    header, *texts = _lines(content)
    layout = read_header(header)
    if not any(text.strip() for text in texts):
        raise SourceEmpty(f"{source.name} has a header and no row.")

    lines = pl.DataFrame({"text": texts}).with_row_index("line", offset=2)
    found = find_partition(source.name, layout, cut(lines, layout), known)
    return RawCapture(
        partition=found.partition,
        format=layout.format.name,
        header=header,
        lines=_raw(lines, found.partition),
        content_sha256=sha256(content),
        source_updated_on=found.source_updated_on,
    )


def unpack(source: SourceFile, limit: int = MAX_UNPACKED_BYTES) -> bytes:
    """Return the content, decompressed if it is gzip, and never more than ``limit`` bytes."""
    if not source.content.startswith(_GZIP):
        return source.content
    chunks: list[bytes] = []
    size = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(source.content)) as packed:
            while chunk := packed.read(_CHUNK):
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise _too_large(source.name, f"unpacks to more than {limit:,} bytes")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceFormat(
            f"{source.name} is broken gzip: {error}.", remedy="Fetch it again."
        ) from error
    return b"".join(chunks)


def _check_size(name: str, content: bytes) -> None:
    """Refuse what would grow out of proportion once it is cut into lines."""
    if len(content) > MAX_UNPACKED_BYTES:
        raise _too_large(name, f"has more than {MAX_UNPACKED_BYTES:,} bytes")
    if content.count(b"\n") > MAX_LINES:
        raise _too_large(name, f"has more than {MAX_LINES:,} lines")
    begin = 0
    while len(content) - begin > MAX_LINE_BYTES:
        end = content.rfind(b"\n", begin, begin + MAX_LINE_BYTES)
        if end < begin:
            raise _too_large(name, f"has a line of more than {MAX_LINE_BYTES:,} bytes")
        begin = end + 1


def _too_large(name: str, what: str) -> SourceTooLarge:
    return SourceTooLarge(f"{name} {what}.", remedy="No weekly file is like that; fetch it again.")


def _lines(content: bytes) -> list[str]:
    """Decode and cut at LF or CRLF.

    Unreadable bytes, and NUL, which no database keeps, are replaced where they stand.
    """
    text = content.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", errors="replace")
    text = text.replace("\x00", UNREADABLE).replace("\r\n", "\n").removesuffix("\r")
    return text.removesuffix("\n").split("\n")


def _raw(lines: pl.DataFrame, partition: Partition) -> pl.DataFrame:
    return RAW.conform(
        lines.with_columns(
            pl.lit(partition.business_date).alias("week_ending"),
            pl.lit(partition["tier"]).alias("tier"),
        )
    )
