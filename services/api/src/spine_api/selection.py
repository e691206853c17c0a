"""Which rows of a dataset are asked for, and in which order."""

import difflib
from collections.abc import Mapping, Sequence

from spine_common.core.dataset import ColumnType, Dataset
from spine_common.core.errors import InvalidParams, InvalidSymbol
from spine_common.core.partition import PartitionKind

_MAX_FILTER = 200
_MAX_SYMBOL = 32


def read_filters(dataset: Dataset, kind: PartitionKind, given: Mapping[str, str]) -> dict[str, str]:
    """Return the filters among ``given``, which may name the partition besides and nothing else.

    Raises an ``InvalidParams`` that names field, value and what would be right.
    """
    filters = filter_columns(dataset, kind)
    for name, value in given.items():
        _check_name(name, value, (*kind.names, *filters))
    return {name: _checked(name, given[name]) for name in filters if name in given}


def read_order(dataset: Dataset, order_by: str | None) -> tuple[tuple[str, bool], ...]:
    """Return (column, descending) pairs for a text like ``share:desc,venue``."""
    return tuple(_order(dataset, part) for part in order_by.split(",")) if order_by else ()


def filter_columns(dataset: Dataset, kind: PartitionKind) -> tuple[str, ...]:
    """Return the columns rows can be chosen by: texts that don't name the partition."""
    return tuple(
        column.name
        for column in dataset
        if column.type is ColumnType.TEXT and column.name not in kind.names
    )


def _check_name(name: str, value: str, known: Sequence[str]) -> None:
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    raise InvalidParams(
        f"These rows can't be asked for by {name[:80]!r}.",
        remedy=f"{hint}They can by {', '.join(known)}.",
        field=name,
        value=value,
    )


def _checked(name: str, value: str) -> str:
    if name == "symbol" and not (
        value.isascii()
        and value.isprintable()
        and " " not in value
        and 0 < len(value) <= _MAX_SYMBOL
    ):
        raise InvalidSymbol(
            f"symbol can't be {value[:80]!r}.",
            remedy="It has 1 to 32 printable ASCII characters, no space; its case matters.",
            field=name,
            value=value,
        )
    if not value.isprintable() or len(value) > _MAX_FILTER:
        raise InvalidParams(
            f"{name} can't be {value[:80]!r}.",
            remedy=f"It has up to {_MAX_FILTER} printable characters.",
            field=name,
            value=value,
        )
    return value


def _order(dataset: Dataset, part: str) -> tuple[str, bool]:
    name, _, direction = part.strip().partition(":")
    if name not in dataset.column_names or direction not in {"", "asc", "desc"}:
        raise InvalidParams(
            f"order_by can't be {part[:80]!r}.",
            remedy="It is column, column:asc or column:desc, several joined by commas;"
            f" the columns are {', '.join(dataset.column_names)}.",
            field="order_by",
            value=part,
        )
    return name, direction == "desc"
