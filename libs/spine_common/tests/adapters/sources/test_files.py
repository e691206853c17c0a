"""Files are read where it is allowed, whole, and every refusal says what would be right."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from spine_common.adapters.sources.files import FileSources
from spine_common.adapters.sources.regular import read_beneath
from spine_common.core.errors import (
    InvalidParams,
    SourceEmpty,
    SourceForbidden,
    SourceNotFound,
    SourceTooLarge,
)
from spine_common.core.source import SourceFile
from spine_common.framework.ports.storage import Store


async def test_a_relative_path_starts_at_a_root(sources: FileSources, root: Path):
    (root / "week").mkdir()
    (root / "week" / "file one.csv").write_bytes(b"a,b\n1,2\n")

    assert await sources.fetch("week/file one.csv") == SourceFile("file one.csv", b"a,b\n1,2\n")


async def test_an_absolute_path_beneath_a_root_is_read(sources: FileSources, root: Path):
    (root / "a.csv").write_bytes(b"x")

    assert await sources.fetch(str(root / "a.csv")) == SourceFile("a.csv", b"x")


async def test_the_roots_are_tried_in_turn(tmp_path: Path, store: Store):
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        (folder / "both.csv").write_bytes(folder.name.encode())
    (second / "late.csv").write_bytes(b"late")
    sources = FileSources([first, tmp_path / "not there", second], store)

    assert (await sources.fetch("both.csv")).content == b"1"
    assert (await sources.fetch("late.csv")).content == b"late"
    assert (await sources.fetch(str(second / "both.csv"))).content == b"2"


async def test_a_root_may_be_a_link(tmp_path: Path, root: Path, store: Store):
    (root / "a.csv").write_bytes(b"x")
    (tmp_path / "link").symlink_to(root)
    sources = FileSources([tmp_path / "link"], store)

    assert (await sources.fetch("a.csv")).content == b"x"
    assert (await sources.fetch(str(tmp_path / "link" / "a.csv"))).content == b"x"
    assert (await sources.fetch(str(root / "a.csv"))).content == b"x"


async def test_a_link_within_the_roots_is_followed_under_its_own_name(
    sources: FileSources, root: Path
):
    (root / "target.csv").write_bytes(b"x")
    (root / "link.csv").symlink_to("target.csv")

    assert await sources.fetch("link.csv") == SourceFile("link.csv", b"x")


async def test_a_missing_file_is_named_as_it_was_given(sources: FileSources):
    with pytest.raises(SourceNotFound, match=r"There is no file 'week/gone\.csv'"):
        await sources.fetch("week/gone.csv")


async def test_a_directory_is_told_apart_from_a_file(sources: FileSources, root: Path):
    (root / "week").mkdir()

    for location in ("week", ".", str(root)):
        with pytest.raises(SourceNotFound, match="is a directory; name a file"):
            await sources.fetch(location)


async def test_a_file_is_no_folder(sources: FileSources, root: Path):
    (root / "a.csv").write_bytes(b"x")

    with pytest.raises(SourceNotFound):
        await sources.fetch("a.csv/b.csv")


async def test_a_pipe_or_a_socket_is_refused_without_waiting_for_it(
    sources: FileSources, root: Path, monkeypatch: pytest.MonkeyPatch
):
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")

    for location in ("pipe", "socket"):
        with pytest.raises(SourceNotFound, match="not a regular file"):
            await sources.fetch(location)


async def test_a_device_is_refused(store: Store):
    with pytest.raises(SourceNotFound, match="not a regular file"):
        await FileSources([Path("/dev")], store).fetch("zero")


async def test_outside_of_the_roots_all_is_refused_alike_whether_it_is_there_or_not(
    sources: FileSources, root: Path, tmp_path: Path
):
    (tmp_path / "secret.csv").write_bytes(b"secret")
    (root / "to-secret").symlink_to(tmp_path / "secret.csv")
    (root / "to-nothing").symlink_to(tmp_path / "nothing.csv")
    (root / "to-folder").symlink_to(tmp_path)
    there = ["../secret.csv", str(tmp_path / "secret.csv"), "to-secret", "to-folder/secret.csv"]
    missing = ["../nothing.csv", str(tmp_path / "nothing.csv"), "to-nothing", "to-folder/no.csv"]

    said = set()
    for location in there + missing:
        with pytest.raises(SourceForbidden, match="outside of the folders") as caught:
            await sources.fetch(location)
        said.add(str(caught.value).replace(repr(location), "…"))

    assert len(said) == 1
    assert str(root) not in said.pop()


async def test_a_folder_whose_name_begins_like_a_root_is_outside(sources: FileSources, root: Path):
    sibling = root.with_name(root.name + "-private")
    sibling.mkdir()
    (sibling / "a.csv").write_bytes(b"x")

    with pytest.raises(SourceForbidden):
        await sources.fetch(str(sibling / "a.csv"))


async def test_links_in_a_circle_are_refused(sources: FileSources, root: Path):
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")

    with pytest.raises(SourceForbidden, match="circle"):
        await sources.fetch("a")


def test_a_folder_swapped_for_a_link_after_its_check_is_not_followed(tmp_path: Path, root: Path):
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "a.csv").write_bytes(b"secret")
    (root / "week").symlink_to(tmp_path / "private")
    (root / "a.csv").symlink_to(tmp_path / "private" / "a.csv")

    with pytest.raises(SourceNotFound):
        read_beneath(root, root / "week" / "a.csv", shown="week/a.csv", max_bytes=100)
    with pytest.raises(SourceForbidden, match="link"):
        read_beneath(root, root / "a.csv", shown="a.csv", max_bytes=100)


async def test_a_file_without_read_permission_says_so(
    open_folder: Path, store: Store, unprivileged: Callable[[], None]
):
    (open_folder / "a.csv").write_bytes(b"x")
    (open_folder / "a.csv").chmod(0)
    sources = FileSources([open_folder], store)
    unprivileged()

    with pytest.raises(SourceForbidden, match=r"'a\.csv' can't be read: permission denied"):
        await sources.fetch("a.csv")


async def test_an_empty_file_is_refused(sources: FileSources, root: Path):
    (root / "empty.csv").touch()

    with pytest.raises(SourceEmpty, match=r"'empty\.csv' is empty"):
        await sources.fetch("empty.csv")


async def test_the_cap_is_the_last_size_that_passes(sources: FileSources, root: Path):
    (root / "full.csv").write_bytes(b"x" * 1000)
    (root / "over.csv").write_bytes(b"x" * 1001)

    assert len((await sources.fetch("full.csv")).content) == 1000
    with pytest.raises(SourceTooLarge, match="more than the 1,000 bytes"):
        await sources.fetch("over.csv")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
async def test_a_file_larger_than_it_says_is_stopped_while_it_is_read(store: Store):
    sources = FileSources([Path("/proc/self")], store, max_bytes=10)
    assert Path("/proc/self/status").stat().st_size == 0  # noqa: ASYNC240

    with pytest.raises(SourceTooLarge):
        await sources.fetch("status")


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a.csv", "file:///etc/passwd", "s3://bucket/key", "HTTP://x/y", "ftp:/x"],
)
async def test_a_url_is_refused_as_such(sources: FileSources, url: str):
    with pytest.raises(InvalidParams, match="is a URL") as caught:
        await sources.fetch(url)
    assert "A location is a path to a file" in str(caught.value)


@pytest.mark.parametrize("location", ["", "  ", "a\0b", "a\udc80b", "x" * 5000])
async def test_text_that_is_no_path_is_invalid(sources: FileSources, location: str):
    with pytest.raises(InvalidParams):
        await sources.fetch(location)


async def test_a_name_longer_than_names_can_be_is_not_found(sources: FileSources):
    with pytest.raises(SourceNotFound, match="longer than a path can be"):
        await sources.fetch("x" * 300)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors in /proc")
async def test_no_descriptor_stays_open(sources: FileSources, root: Path):
    (root / "week").mkdir()
    (root / "week" / "a.csv").write_bytes(b"x")
    os.mkfifo(root / "pipe")
    before = open_descriptors()

    for _ in range(3):
        await sources.fetch("week/a.csv")
        for location in ("week", "pipe", "week/none.csv", "none/a.csv"):
            with pytest.raises(SourceNotFound):
                await sources.fetch(location)

    assert open_descriptors() == before


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("name", [".env", ".hidden/week.csv"])
async def test_a_hidden_file_is_refused(sources: FileSources, root: Path, name: str):
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_bytes(b"SECRET=1\n")

    with pytest.raises(SourceForbidden):
        await sources.fetch(name)
