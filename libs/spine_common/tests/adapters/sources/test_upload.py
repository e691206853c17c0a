"""Bytes that were uploaded come back by their location, and by nothing else."""

from pathlib import Path

import pytest

from spine_common.adapters.sources.files import FileSources, upload
from spine_common.core.errors import (
    InvalidParams,
    SourceEmpty,
    SourceError,
    SourceNotFound,
    SourceTooLarge,
)
from spine_common.core.source import SourceFile, sha256
from spine_common.framework.ports.storage import Store

CONTENT = b"a,b\n1,2\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file outside of every root."""
    path = tmp_path / "my week.csv"
    path.write_bytes(CONTENT)
    return path


async def test_an_upload_comes_back_under_its_name(sources: FileSources, store: Store, mine: Path):
    location = await upload(store, mine)

    assert location == f"sha256:{sha256(CONTENT)}/my week.csv"
    assert await sources.fetch(location) == SourceFile("my week.csv", CONTENT)


async def test_the_same_bytes_twice_are_kept_once(store: Store, mine: Path):
    other = mine.with_name("other.csv")
    other.write_bytes(CONTENT)

    locations = [await upload(store, path) for path in (mine, mine, other)]

    assert locations[0] == locations[1] != locations[2]
    assert await store.keys() == [f"raw/{sha256(CONTENT)}"]


async def test_a_relative_path_starts_at_the_callers_folder(
    store: Store, mine: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(mine.parent)

    assert await upload(store, mine.name) == await upload(store, mine)


async def test_the_callers_own_links_are_followed(store: Store, mine: Path):
    mine.with_name("link.csv").symlink_to(mine)

    assert (await upload(store, mine.with_name("link.csv"))).endswith("/link.csv")


async def test_an_upload_is_checked_like_a_fetched_file(store: Store, tmp_path: Path, mine: Path):
    (tmp_path / "empty.csv").touch()

    with pytest.raises(SourceEmpty):
        await upload(store, tmp_path / "empty.csv")
    with pytest.raises(SourceNotFound, match="is a directory"):
        await upload(store, tmp_path)
    with pytest.raises(SourceNotFound, match="There is no file"):
        await upload(store, tmp_path / "none.csv")
    with pytest.raises(SourceTooLarge):
        await upload(store, mine, max_bytes=3)
    with pytest.raises(InvalidParams, match="URL"):
        await upload(store, "https://example.org/a.csv")
    assert await store.keys() == []


async def test_a_name_that_can_not_be_shown_is_refused(store: Store, tmp_path: Path):
    path = tmp_path / "a\nb.csv"
    path.write_bytes(b"x")

    with pytest.raises(InvalidParams, match="source's name"):
        await upload(store, path)


async def test_bytes_we_do_not_hold_are_not_found(sources: FileSources):
    with pytest.raises(SourceNotFound, match="Upload the file again"):
        await sources.fetch(f"sha256:{'0' * 64}/a.csv")


async def test_held_bytes_are_checked_like_a_file(store: Store, sources: FileSources):
    for content in (b"", b"x" * 1001):
        await store.put(f"raw/{sha256(content)}", content)

    with pytest.raises(SourceEmpty):
        await sources.fetch(f"sha256:{sha256(b'')}/a.csv")
    with pytest.raises(SourceTooLarge):
        await sources.fetch(f"sha256:{sha256(b'x' * 1001)}/a.csv")


async def test_bytes_that_are_not_what_their_key_says_are_refused(
    store: Store, sources: FileSources, mine: Path
):
    location = await upload(store, mine)
    await store.put(f"raw/{sha256(CONTENT)}", b"damaged")

    with pytest.raises(SourceError, match="another digest"):
        await sources.fetch(location)


@pytest.mark.parametrize(
    "location",
    [
        "sha256:",
        "sha256:abc/a.csv",
        f"sha256:{'0' * 64}",
        f"sha256:{'0' * 64}/",
        f"sha256:{'A' * 64}/a.csv",
        f"sha256:{'0' * 64}/../a.csv",
        f"sha256:{'0' * 64}/..",
        f"sha256:{'0' * 64}/a/b.csv",
        f"sha256:{'0' * 64}/a\\b.csv",
        f"sha256:{'0' * 64}/a\nb.csv",
        f"sha256:{'0' * 64}/a\u202eb.csv",
        f"sha256:{'0' * 64}/{'x' * 256}",
        f"sha256:../../{'0' * 64}/a.csv",
    ],
)
async def test_a_malformed_location_is_invalid(sources: FileSources, location: str):
    with pytest.raises(InvalidParams):
        await sources.fetch(location)
