"""Defects that are about bytes and lines, not about what a field says."""

import codecs
from bisect import bisect_left
from collections.abc import Mapping

from spine_common.testing.synthetic.defects import DOUBLING, Defect, Placement

_HEADER_LINES = 1
_NO_UTF8 = b"\xff"


def spoil_bytes(
    content: bytes, defects: Mapping[Defect, int], placement: Placement, separator: bytes
) -> bytes:
    """Put the defects of lines, then those of the whole file, into a file's bytes."""
    if not any(defects.values()):
        return content
    lines = _spoiled_lines(content.splitlines(), placement, separator)
    if defects.get(Defect.TORN_LAST_LINE):
        lines[-1] = lines[-1][: len(lines[-1]) // 2]
    end = b"\r\n" if defects.get(Defect.CRLF) else b"\n"
    unfinished = defects.get(Defect.TORN_LAST_LINE) or defects.get(Defect.NO_FINAL_NEWLINE)
    start = codecs.BOM_UTF8 if defects.get(Defect.BOM) else b""
    return start + end.join(lines) + (b"" if unfinished else end)


def _spoiled_lines(lines: list[bytes], placement: Placement, separator: bytes) -> list[bytes]:
    doubled = sorted(row for kind in DOUBLING for row in placement.get(kind, ()))
    for kind in (Defect.EXTRA_FIELD, Defect.INVALID_UTF8):
        for row in placement.get(kind, ()):
            at = _HEADER_LINES + row + bisect_left(doubled, row)
            if kind is Defect.EXTRA_FIELD:
                lines[at] += separator + b"surplus"
            else:
                lines[at] = _NO_UTF8 + lines[at]
    return lines
