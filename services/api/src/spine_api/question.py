"""What is asked of a calc: which vintage of a partition, which of its rows, which page of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from spine_api.errors import naming_values
from spine_api.selection import read_filters, read_order
from spine_api.vintage import Vintage, read_vintage
from spine_common.core.calc import Calc
from spine_common.core.domain import Domain
from spine_common.core.errors import InvalidParams
from spine_common.core.partition import PartitionKind
from spine_common.framework.ports.queries import Window

_OWN = frozenset({"capture_id", "as_of", "limit", "offset", "order_by"})


class CalcQuery(BaseModel):
    """Which rows are asked for; a domain's own partition fields and filters may come besides."""

    model_config = ConfigDict(extra="allow")

    week_ending: str | None = Field(
        None,
        description="The Friday of the trading week.",
        examples=["2025-11-14"],
    )
    tier: str | None = Field(None, description="The tier, also as T1.", examples=["OTC"])
    symbol: str | None = Field(None, description="Rows of this symbol; its case matters.")
    venue: str | None = Field(None, description="Rows of this venue.")
    capture_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]{1,120}$", description="Answer from this capture."
    )
    as_of: str | None = Field(
        None,
        max_length=40,
        description="Answer from the capture that was the latest at this moment (ISO time; a"
        " bare day means its end, UTC).",
        examples=["2025-12-15T14:00:00Z"],
    )
    limit: int = Field(50, ge=1, le=1000, description="How many rows at most.")
    offset: int = Field(0, ge=0, le=1_000_000_000, description="How many rows to leave out first.")
    order_by: str | None = Field(
        None, max_length=400, description="`column:desc`; several are joined by commas."
    )

    def named(self) -> dict[str, str]:
        """Return the partition fields and filters, by name."""
        given = self.model_dump(exclude=set(_OWN), exclude_none=True)
        return {name: str(value) for name, value in given.items()}


@dataclass(frozen=True, slots=True)
class Question:
    """A query that makes sense for the calc it asks."""

    kind: PartitionKind
    vintage: Vintage
    where: Mapping[str, str]
    window: Window


def read_question(domain: Domain, calc: Calc, query: CalcQuery) -> Question:
    """Read a query; an ``InvalidParams`` names field, value and what would be right."""
    kind = domain.partition
    if kind is None:
        raise InvalidParams(f"{domain.name} has no partitions to answer from.")
    named = query.named()
    with naming_values(named):
        return Question(
            kind=kind,
            where=read_filters(calc.dataset, kind, named),
            vintage=read_vintage(kind, named, query.capture_id, query.as_of),
            window=Window(query.limit, query.offset, read_order(calc.dataset, query.order_by)),
        )
