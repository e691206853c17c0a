"""Which version of a calculation a name means."""

from dataclasses import replace

import polars as pl
import pytest

from spine_common.core.calc import Calc, CalcCatalog
from spine_common.core.dataset import Column, ColumnType, Dataset
from spine_common.core.errors import CalcNotFound

SIZES = Dataset("sizes", "sizes", "", (Column("day", ColumnType.DATE, ""),), ("day",), "day")
V1 = Calc("size", 1, SIZES, pl.DataFrame.clone, lambda *_: (), "")


def versions(*numbers):
    return [replace(V1, version=number) for number in numbers]


def test_version_10_is_newer_than_version_2():
    catalog = CalcCatalog(versions(*reversed(range(1, 11))))
    assert catalog.get("size").version == 10
    assert [calc.version for calc in catalog.versions("size")] == list(range(1, 11))
    assert [calc.versioned_name for calc in catalog.current()] == ["size_v10"]


def test_a_deprecated_version_still_answers():
    old = replace(V1, deprecated="use size_v2")
    catalog = CalcCatalog([old, *versions(2)])
    assert catalog.get("size_v1") is old
    assert catalog.get("size").version == 2


def test_a_version_can_t_be_removed():
    with pytest.raises(ValueError, match="must keep every version"):
        CalcCatalog(versions(1, 3))


def test_the_current_version_can_t_be_deprecated():
    with pytest.raises(ValueError, match="current version 1 is deprecated"):
        CalcCatalog([replace(V1, deprecated="gone")])


@pytest.mark.parametrize("name", ["size_v3", "size_v02", "size_v0", "sizes", ""])
def test_an_unknown_calc_is_told_the_current_ones(name):
    with pytest.raises(CalcNotFound, match="size_v2"):
        CalcCatalog(versions(1, 2)).get(name)
