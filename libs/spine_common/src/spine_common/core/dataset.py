"""A dataset names columns, types and key once; tables, Parquet, API and docs derive from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import polars as pl

from spine_common.core.errors import OutOfRange


class ColumnType(StrEnum):
    """What a column holds, independent of where it is kept."""

    TEXT = "text"
    INTEGER = "integer"
    """A whole number in 64 bits."""
    QUANTITY = "quantity"
    """An exact decimal with six places, below 10^12 in absolute value."""
    RATIO = "ratio"
    """A double, rounded to twelve places where it is computed."""
    DATE = "date"
    BOOLEAN = "boolean"


QUANTITY_SCALE = 6
LARGEST_QUANTITY = 9_223_372_036_854
"""What 64 bits hold in millionths, which is how SQLite keeps quantities."""
POLARS_TYPES: dict[ColumnType, pl.DataType] = {
    ColumnType.TEXT: pl.String(),
    ColumnType.INTEGER: pl.Int64(),
    ColumnType.QUANTITY: pl.Decimal(38, QUANTITY_SCALE),
    ColumnType.RATIO: pl.Float64(),
    ColumnType.DATE: pl.Date(),
    ColumnType.BOOLEAN: pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, what it holds, and in which unit."""

    name: str
    type: ColumnType
    description: str
    unit: str = ""
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table of a domain.

    ``business_date`` is the date column every row carries; ``key`` the columns that are unique
    within one capture. The stored table adds ``capture_no`` and is keyed by
    (business_date, capture_no, *key).
    """

    name: str
    table: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    business_date: str

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def column_names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> pl.Schema:
        """The Polars schema of a frame of this dataset."""
        return pl.Schema({column.name: POLARS_TYPES[column.type] for column in self.columns})

    def column(self, name: str) -> Column:
        """Return the column of that name; ``KeyError`` if there is none."""
        return next((c for c in self.columns if c.name == name), None) or _no_column(self, name)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``frame`` with exactly this dataset's columns, order and types.

        Raises ``OutOfRange`` for a quantity no database of ours keeps, and what Polars raises when
        a column is missing or a value does not fit.
        """
        conformed = frame.select(
            pl.col(column.name).cast(POLARS_TYPES[column.type]) for column in self.columns
        )
        for column in self.columns:
            if column.type is ColumnType.QUANTITY:
                _check_range(self, conformed[column.name])
        return conformed

    def empty(self) -> pl.DataFrame:
        """Return a frame of this dataset without rows."""
        return pl.DataFrame(schema=self.schema)


def _check_range(dataset: Dataset, quantities: pl.Series) -> None:
    largest = quantities.abs().max()
    if isinstance(largest, Decimal) and largest >= LARGEST_QUANTITY:
        raise OutOfRange(
            f"{dataset.table}.{quantities.name} would be {largest}.",
            remedy=f"Quantities and their sums stay below {LARGEST_QUANTITY:,}.",
        )


def _no_column(dataset: Dataset, name: str) -> Column:
    raise KeyError(f"{dataset.name} has no column {name!r}")
