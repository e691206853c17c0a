"""No key that is accepted leads anywhere but beneath the folder it is joined to."""

import posixpath

from hypothesis import given
from hypothesis import strategies as st

from spine_common.adapters.storage.keys import checked_key, checked_prefix
from spine_common.core.errors import InvalidParams

NASTY = st.text(alphabet="ab./\\-_ =\0\n~%:é", max_size=12)


@given(NASTY)
def test_an_accepted_key_is_a_plain_path_beneath_its_root(key: str):
    try:
        accepted = checked_key(key)
    except InvalidParams:
        return
    assert posixpath.normpath(f"/root/{accepted}") == f"/root/{accepted}"


@given(NASTY, st.integers(min_value=0, max_value=12))
def test_every_beginning_of_a_key_is_a_prefix(key: str, length: int):
    try:
        accepted = checked_key(key)
    except InvalidParams:
        return
    assert checked_prefix(accepted[:length]) == accepted[:length]


def test_the_names_the_product_gives_are_keys():
    for key in (
        f"raw/{'0f' * 32}",
        "normalized/otc_transparency.2025-11-14.NMS_TIER_1.v12.9f3ac2d1.parquet",
    ):
        assert checked_key(key) == key
