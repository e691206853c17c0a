"""Whether the text handed to COPY says what the frame says."""

import csv
import io

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from spine_common.adapters.database.bulk import _csv

ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(st.lists(ANY_TEXT, min_size=1, max_size=20))
def test_any_text_is_read_back_by_another_reader(values: list[str]):
    text = _csv(pl.DataFrame({"text": values, "line": range(len(values))})).read().decode()

    read = csv.reader(io.StringIO(text, newline=""), strict=True)

    assert [row[0] for row in read] == values


def test_only_a_null_is_unquoted():
    frame = pl.DataFrame({"text": [None, "\\N", ""], "line": [1, None, 3]})

    assert _csv(frame).read() == b'\\N,1\n"\\N",\\N\n"",3\n'
