"""How the parameters of a command are read, and what is said of the wrong ones."""

import pytest

from spine_common.core.errors import InvalidParams, MissingRequired
from spine_common.core.pipeline import Param, Pipeline, Stage, boolean

COUNT = Param("count", "how many", "integer", int, required=True)
SIZE = Param("size", "which size", choices=("small", "large"), default="small")
FORCE = Param("force", "even so", "boolean", boolean)
PIPELINE = Pipeline("p", Stage.INGEST, "", params=(COUNT, SIZE, FORCE))


def test_values_are_canonical_defaults_filled_in_and_unset_ones_left_out():
    assert PIPELINE.read_params({"count": "3", "force": None}) == {"count": 3, "size": "small"}


def test_a_missing_parameter_is_named():
    with pytest.raises(MissingRequired, match="p needs count: how many"):
        PIPELINE.read_params({})


def test_a_misspelt_parameter_is_told_the_likely_one():
    with pytest.raises(InvalidParams, match="Did you mean force"):
        PIPELINE.read_params({"count": 1, "forse": True})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"count": "three"}, "count can't be 'three'. It is how many."),
        ({"count": 1, "size": "huge"}, "size can't be 'huge'. It is one of small, large."),
        ({"count": 1, "force": "maybe"}, "force: 'maybe' is neither true nor false."),
    ],
)
def test_a_wrong_value_is_named_beside_what_would_be_right(given, says):
    with pytest.raises(InvalidParams) as raised:
        PIPELINE.read_params(given)
    assert str(raised.value) == says


def test_nothing_given_means_the_default():
    assert PIPELINE.read_params({"count": 3, "size": None})["size"] == "small"
