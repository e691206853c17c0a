"""A data table is derived from its dataset: business date, capture number, then the columns."""

from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, Double, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

from spine_common.adapters.database.types import Quantity
from spine_common.core.dataset import ColumnType, Dataset

data_metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})

# Ordered by code point as on SQLite, so that ties and pages come out alike on both.
PLAIN_TEXT = Text().with_variant(Text(collation="C"), "postgresql")
_SQL_TYPES: dict[ColumnType, TypeEngine[Any]] = {
    ColumnType.TEXT: PLAIN_TEXT,
    ColumnType.INTEGER: BigInteger(),
    ColumnType.QUANTITY: Quantity(),
    ColumnType.RATIO: Double(),
    ColumnType.DATE: Date(),
    ColumnType.BOOLEAN: Boolean(),
}


def key_columns(dataset: Dataset) -> tuple[str, ...]:
    """Return the stored primary key: it begins with the time column, as a hypertable's must."""
    rest = (name for name in dataset.key if name != dataset.business_date)
    return (dataset.business_date, "capture_no", *rest)


@cache
def data_table(dataset: Dataset) -> Table:
    """Return the table that keeps a dataset's rows of every capture."""
    key = key_columns(dataset)
    declared = {column.name: column for column in dataset}
    ordered = [*key, *(name for name in dataset.column_names if name not in key)]
    return Table(
        dataset.table,
        data_metadata,
        *(
            Column("capture_no", BigInteger(), primary_key=True, autoincrement=False)
            if name == "capture_no"
            else Column(
                name,
                _SQL_TYPES[declared[name].type],
                primary_key=name in key,
                nullable=declared[name].nullable,
            )
            for name in ordered
        ),
    )
