"""Whether a rule means the same to the launcher as to the scenario that wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_common.core.ids import new_execution_id
from spine_common.framework.failpoints import Failpoint
from spine_common.testing.chaos.rules import ACTIONS, Rule, read_rules, spelled

RULES = st.builds(
    Rule,
    st.sampled_from(Failpoint),
    st.sampled_from(ACTIONS),
    st.sampled_from([0.0, 0.25, 4.0, 60.0]),
    st.none() | st.integers(1, 99),
    st.sampled_from([1.0, 0.5, 0.03]),
    st.none() | st.builds(new_execution_id),
)


@given(st.lists(RULES, max_size=4))
def test_a_rule_is_read_as_it_was_written(rules: list[Rule]):
    assert read_rules(spelled(rules)) == rules


@pytest.mark.parametrize(
    "text", ["work.done", "work.done=explode", "work.done=kill@", "work.done=kill#", "=kill"]
)
def test_what_is_no_rule_is_refused(text: str):
    with pytest.raises(ValueError, match="is no rule"):
        read_rules(text)


def test_an_unknown_place_is_refused():
    with pytest.raises(ValueError, match=r"nowhere\.at\.all"):
        read_rules("nowhere.at.all=kill")
