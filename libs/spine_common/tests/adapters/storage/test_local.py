"""What only a store on a file system can get wrong."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from spine_common.adapters.storage.local import LocalStore
from spine_common.core.errors import NotFound, StoreUnavailable

DIES_WHILE_WRITING = """
import asyncio, resource, signal, sys
from pathlib import Path
from spine_common.adapters.storage.local import LocalStore

signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
asyncio.run(LocalStore(Path(sys.argv[1])).put("raw/torn", b"x" * 1_000_000))
"""


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the system refuse to write files beyond ``size`` bytes, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files_beneath(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_write_the_disk_refuses_leaves_the_old_object_and_nothing_else(tmp_path: Path):
    store = LocalStore(tmp_path)
    await store.put("raw/a", b"old")

    with largest_file(4096), pytest.raises(StoreUnavailable, match="can't write raw/a") as caught:
        await store.put("raw/a", b"new" * 100_000)

    assert await store.get("raw/a") == b"old"
    assert files_beneath(tmp_path) == [tmp_path / "raw" / "a"]
    assert str(tmp_path) not in str(caught.value)


async def test_a_writer_killed_while_writing_leaves_no_object_and_is_swept_up(tmp_path: Path):
    died = subprocess.run([sys.executable, "-c", DIES_WHILE_WRITING, tmp_path], check=False)  # noqa: ASYNC221, S603
    assert died.returncode == -signal.SIGXFSZ
    [leftover] = files_beneath(tmp_path)
    store = LocalStore(tmp_path)

    assert await store.keys() == []
    with pytest.raises(NotFound):
        await store.get("raw/torn")

    long_ago = time.time() - 7200
    os.utime(leftover, (long_ago, long_ago))
    await store.check()

    assert files_beneath(tmp_path) == []


async def test_a_file_still_being_written_is_not_swept(tmp_path: Path):
    subprocess.run([sys.executable, "-c", DIES_WHILE_WRITING, tmp_path], check=False)  # noqa: ASYNC221, S603

    await LocalStore(tmp_path).check()

    assert len(files_beneath(tmp_path)) == 1


async def test_a_check_leaves_nothing_behind(tmp_path: Path):
    store = LocalStore(tmp_path / "new" / "root")

    await store.check()

    assert files_beneath(tmp_path) == []


async def test_a_folder_that_may_not_be_written_fails_the_check(
    open_folder: Path, unprivileged: Callable[[], None]
):
    store = LocalStore(open_folder / "objects")
    await store.put("raw/a", b"x")
    for folder in (open_folder / "objects" / "raw", open_folder / "objects"):
        folder.chmod(0o555)
    unprivileged()

    with pytest.raises(StoreUnavailable, match="Permission denied"):
        await store.check()
    with pytest.raises(StoreUnavailable, match="Permission denied"):
        await store.put("raw/b", b"x")
    assert await store.get("raw/a") == b"x"


async def test_a_root_that_is_a_file_is_unavailable_not_empty(tmp_path: Path):
    (tmp_path / "root").write_bytes(b"x")
    store = LocalStore(tmp_path / "root")

    for answer in (store.check(), store.keys(), store.get("a"), store.put("a", b"x")):
        with pytest.raises(StoreUnavailable):
            await answer


async def test_a_link_in_an_objects_place_is_no_object(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    store = LocalStore(tmp_path / "root")
    await store.put("raw/a", b"x")
    (tmp_path / "root" / "raw" / "link").symlink_to(outside)

    assert not await store.exists("raw/link")
    assert await store.keys() == ["raw/a"]
    with pytest.raises(NotFound):
        await store.get("raw/link")
    await store.delete("raw/link")
    assert outside.read_bytes() == b"secret"


async def test_a_put_replaces_a_link_and_does_not_write_through_it(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    store = LocalStore(tmp_path / "root")
    await store.put("raw/a", b"x")
    (tmp_path / "root" / "raw" / "link").symlink_to(outside)

    await store.put("raw/link", b"ours")

    assert await store.get("raw/link") == b"ours"
    assert outside.read_bytes() == b"secret"


async def test_a_linked_folder_leads_nowhere(tmp_path: Path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "raw").symlink_to(outside)
    store = LocalStore(tmp_path / "root")

    assert await store.keys() == []
    assert await store.keys("raw/") == []
    assert not await store.exists("raw/secret")
    with pytest.raises(NotFound):
        await store.get("raw/secret")
    with pytest.raises(StoreUnavailable):
        await store.put("raw/secret", b"x")
    await store.delete("raw/secret")
    assert [path.read_bytes() for path in outside.iterdir()] == [b"secret"]


async def test_the_root_itself_may_be_a_link(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "disk")
    store = LocalStore(tmp_path / "root")

    await store.put("raw/a", b"x")

    assert (tmp_path / "disk" / "raw" / "a").read_bytes() == b"x"


async def test_a_pipe_in_an_objects_place_blocks_nobody(tmp_path: Path):
    store = LocalStore(tmp_path)
    await store.put("raw/a", b"x")
    os.mkfifo(tmp_path / "raw" / "pipe")

    with pytest.raises(NotFound):
        await store.get("raw/pipe")
    assert await store.keys() == ["raw/a"]


async def test_a_folder_is_no_object_and_no_object_is_a_folder(tmp_path: Path):
    store = LocalStore(tmp_path)
    await store.put("raw/a", b"x")

    assert not await store.exists("raw")
    assert not await store.exists("raw/a/b")
    assert await store.keys("raw/a/") == []
    for key in ("raw", "raw/a/b"):
        with pytest.raises(NotFound):
            await store.get(key)
        with pytest.raises(StoreUnavailable):
            await store.put(key, b"y")
    assert await store.get("raw/a") == b"x"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
async def test_no_descriptor_stays_open(tmp_path: Path):
    store = LocalStore(tmp_path)
    await store.put("raw/a/b", b"x")
    before = open_descriptors()

    for _ in range(5):
        await store.put("raw/a/b", b"x")
        await store.get("raw/a/b")
        await store.keys()
        await store.check()
        await store.exists("raw/none/b")
        with pytest.raises(StoreUnavailable):
            await store.put("raw/a/b/c", b"x")

    assert open_descriptors() == before
