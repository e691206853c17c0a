"""How a partition is named, whatever the domain."""

from datetime import date

import pytest

from spine_common.core.errors import MissingRequired
from spine_common.core.partition import PartitionKey, PartitionKind

DAY = PartitionKind("trades", (PartitionKey("date", str, "the day"), PartitionKey("desk", str, "")))


def test_the_fields_are_in_the_order_declared_and_other_parameters_left_alone():
    partition = DAY.of({"desk": "x", "force": True, "date": date(2026, 1, 6)})
    assert partition.key == "date=2026-01-06/desk=x"
    assert partition.business_date == date(2026, 1, 6)
    assert partition.params() == {"date": "2026-01-06", "desk": "x"}
    assert DAY.from_key(partition.key) == partition


def test_an_open_field_is_named():
    with pytest.raises(MissingRequired, match="date is required: the day"):
        DAY.of({"desk": "x"})


def test_an_open_field_makes_no_partition():
    assert DAY.of_or_none({"date": "2026-01-06"}) is None
