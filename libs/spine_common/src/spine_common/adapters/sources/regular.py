"""How one regular file is read whole, and what is said when it can't be."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from spine_common.adapters.storage.beneath import folder_beneath, open_file
from spine_common.core.errors import SourceEmpty, SourceForbidden, SourceNotFound, SourceTooLarge

DEFAULT_MAX_BYTES = 512 * 1024 * 1024
_CHUNK = 16 * 1024 * 1024


def read_beneath(root: Path, path: Path, *, shown: str, max_bytes: int) -> bytes:
    """Return the bytes of ``path``, which lies beneath ``root``; there are no links in either.

    ``shown`` is how the caller named the file. Nothing on the way may have become a link since
    the path was resolved, and what is opened is judged by its descriptor.
    """
    *folders, name = path.relative_to(root).parts or (".",)
    with _explained(shown), folder_beneath(root, folders) as folder:
        return _read(open_file(name, folder), shown, max_bytes)


def read_own(path: Path, *, shown: str, max_bytes: int) -> bytes:
    """Return the bytes of ``path``, wherever the caller may read; no link at its end."""
    with _explained(shown):
        return _read(open_file(str(path)), shown, max_bytes)


def checked_size(size: int, *, shown: str, max_bytes: int) -> None:
    """Raise ``SourceEmpty`` or ``SourceTooLarge`` unless a source may have that many bytes."""
    if size == 0:
        raise SourceEmpty(
            f"{shown!r} is empty.", remedy="A publication has a header and rows.", location=shown
        )
    if size > max_bytes:
        raise SourceTooLarge(
            f"{shown!r} has more than the {max_bytes:,} bytes a source may have.",
            remedy="Check that it is the file you mean, or split it.",
            location=shown,
            max_bytes=max_bytes,
        )


def _read(descriptor: int, shown: str, max_bytes: int) -> bytes:
    with ExitStack() as opened:
        opened.callback(os.close, descriptor)
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise _is_directory(shown)
        if not stat.S_ISREG(status.st_mode):
            raise _is_no_file(shown)
        # Some files say they are empty and are not, so only the larger claim is believed.
        checked_size(max(status.st_size, 1), shown=shown, max_bytes=max_bytes)
        content = _drain(descriptor, max_bytes)
    checked_size(len(content), shown=shown, max_bytes=max_bytes)
    return content


def _drain(descriptor: int, max_bytes: int) -> bytes:
    """Read to the end, or to one byte over the cap: a file may grow while it is read."""
    chunks, left = [], max_bytes + 1
    while left and (chunk := os.read(descriptor, min(left, _CHUNK))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


@contextmanager
def _explained(shown: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFound(
            f"There is no file {shown!r}.",
            remedy="Check the spelling, and the folder a relative path starts from.",
            location=shown,
        ) from error
    except PermissionError as error:
        raise SourceForbidden(
            f"{shown!r} can't be read: permission denied.",
            remedy="Let the user this runs as read it.",
            location=shown,
        ) from error
    except OSError as error:
        match error.errno:
            case errno.ELOOP:
                raise SourceForbidden(
                    f"{shown!r} is a link that changed under way, or leads in a circle.",
                    remedy="Name the file itself.",
                    location=shown,
                ) from error
            case errno.ENXIO:
                raise _is_no_file(shown) from error
            case errno.ENAMETOOLONG:
                raise SourceNotFound(
                    f"{shown!r} is longer than a path can be.", remedy="Name a file."
                ) from error
        # A disk or a network in trouble is worth another try.
        raise


def _is_directory(shown: str) -> SourceNotFound:
    return SourceNotFound(
        f"{shown!r} is a directory; name a file.",
        remedy="One location is one file.",
        location=shown,
    )


def _is_no_file(shown: str) -> SourceNotFound:
    return SourceNotFound(
        f"{shown!r} is a pipe, a socket or a device, not a regular file.",
        remedy="Save what it gives to a file and name that.",
        location=shown,
    )
