"""What every object store promises."""

import asyncio

import pytest

from spine_common.core.errors import InvalidParams, NotFound
from spine_common.framework.ports.storage import Store

KEY = "raw/0a1b2c"


async def test_what_was_put_comes_back_byte_for_byte(store: Store):
    content = bytes(range(256)) * 1000

    await store.put(KEY, content)

    assert await store.get(KEY) == content


async def test_an_empty_object_is_an_object(store: Store):
    await store.put(KEY, b"")

    assert await store.exists(KEY)
    assert await store.get(KEY) == b""


async def test_a_missing_object_is_not_found_and_named(store: Store):
    with pytest.raises(NotFound, match=KEY):
        await store.get(KEY)


async def test_an_object_exists_from_put_to_delete(store: Store):
    assert not await store.exists(KEY)

    await store.put(KEY, b"x")
    assert await store.exists(KEY)

    await store.delete(KEY)
    assert not await store.exists(KEY)
    with pytest.raises(NotFound):
        await store.get(KEY)


async def test_deleting_what_is_not_there_is_no_error(store: Store):
    await store.delete(KEY)
    await store.delete("no/such/folder/either")


async def test_the_same_key_again_replaces_the_object(store: Store):
    await store.put(KEY, b"a long first content")
    await store.put(KEY, b"short")

    assert await store.get(KEY) == b"short"
    assert await store.keys() == [KEY]


async def test_keys_are_sorted_and_filtered_by_prefix(store: Store):
    for key in ("raw/b", "normalized/x.parquet", "raw/a", "raw/ab/c", "top"):
        await store.put(key, b"x")

    assert await store.keys() == ["normalized/x.parquet", "raw/a", "raw/ab/c", "raw/b", "top"]
    assert await store.keys("raw/") == ["raw/a", "raw/ab/c", "raw/b"]
    assert await store.keys("raw/a") == ["raw/a", "raw/ab/c"]
    assert await store.keys("raw") == ["raw/a", "raw/ab/c", "raw/b"]
    assert await store.keys("nothing/here") == []


async def test_an_untouched_store_is_empty_and_well(store: Store):
    await store.check()

    assert await store.keys() == []


async def test_a_reader_sees_one_whole_version_while_others_replace_it(store: Store):
    versions = [letter.encode() * 300_000 for letter in "abcd"]
    await store.put(KEY, versions[0])

    async def write(content: bytes) -> None:
        for _ in range(5):
            await store.put(KEY, content)

    async def read() -> list[bytes]:
        return [await store.get(KEY) for _ in range(15)]

    *_, seen = await asyncio.gather(*(write(version) for version in versions), read())

    assert all(content in versions for content in seen)
    assert await store.keys() == [KEY]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "../outside",
        "raw/../../outside",
        "raw/./a",
        "raw//a",
        "raw/",
        ".hidden",
        "raw/.unfinished-1",
        "raw\\a",
        "C:\\a",
        "raw/a\0b",
        "raw/a b",
        "raw/a\n",
        "raw/ä",
        "-rf",
        "a" * 201,
        "a/" * 300 + "a",
    ],
)
async def test_a_key_not_of_our_making_is_refused_everywhere(store: Store, key: str):
    with pytest.raises(InvalidParams, match="key"):
        await store.put(key, b"x")
    with pytest.raises(InvalidParams):
        await store.get(key)
    with pytest.raises(InvalidParams):
        await store.exists(key)
    with pytest.raises(InvalidParams):
        await store.delete(key)
    assert await store.keys() == []


@pytest.mark.parametrize("prefix", ["/", "../", "raw/../", "raw//", "raw/.", "a\0"])
async def test_a_prefix_no_key_begins_with_is_refused(store: Store, prefix: str):
    with pytest.raises(InvalidParams):
        await store.keys(prefix)
