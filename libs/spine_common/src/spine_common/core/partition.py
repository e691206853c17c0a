"""A partition is a dataset's unit of work: a tier and a week, or a day."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from spine_common.core.errors import MissingRequired


@dataclass(frozen=True, slots=True)
class Partition:
    """One unit of a domain's work, e.g. week 2025-11-14 of the OTC tier.

    ``keys`` are (field, canonical text) pairs in the order the domain declares them; the first
    one is the business date in ISO form.
    """

    domain: str
    keys: tuple[tuple[str, str], ...]

    @property
    def key(self) -> str:
        """The partition inside its domain, as one text: ``week_ending=2025-11-14/tier=OTC``."""
        return "/".join(f"{name}={value}" for name, value in self.keys)

    @property
    def slug(self) -> str:
        """The partition as part of an id or a file name: ``2025-11-14.OTC``."""
        return ".".join(value for _, value in self.keys)

    @property
    def business_date(self) -> date:
        """The day the partition's rows belong to."""
        return date.fromisoformat(self.keys[0][1])

    def __getitem__(self, name: str) -> str:
        return dict(self.keys)[name]

    def params(self) -> dict[str, str]:
        """Return the keys as pipeline parameters."""
        return dict(self.keys)

    def __str__(self) -> str:
        return f"{self.domain} {' '.join(value for _, value in self.keys)}"


@dataclass(frozen=True, slots=True)
class PartitionKey:
    """One field of a partition and how a person's spelling of it is read.

    ``parse`` returns the canonical text and raises an ``InvalidParams`` that names field, value
    and what would be right.
    """

    name: str
    parse: Callable[[Any], str]
    description: str


@dataclass(frozen=True, slots=True)
class PartitionKind:
    """How a domain cuts its data: the fields of its partitions, business date first."""

    domain: str
    fields: tuple[PartitionKey, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The field names, in order."""
        return tuple(field.name for field in self.fields)

    def known(self, params: Mapping[str, Any]) -> dict[str, str]:
        """Return the canonical form of those fields that ``params`` gives."""
        return {
            field.name: field.parse(params[field.name])
            for field in self.fields
            if params.get(field.name) is not None
        }

    def of(self, params: Mapping[str, Any]) -> Partition:
        """Return the partition ``params`` name, or raise ``MissingRequired`` for the first gap."""
        known = self.known(params)
        for field in self.fields:
            if field.name not in known:
                raise MissingRequired(f"{field.name} is required: {field.description}.")
        return Partition(self.domain, tuple((name, known[name]) for name in self.names))

    def of_or_none(self, params: Mapping[str, Any]) -> Partition | None:
        """Return the partition, or None when ``params`` leave a field open."""
        known = self.known(params)
        return self.of(params) if len(known) == len(self.fields) else None

    def from_key(self, key: str) -> Partition:
        """Read a partition back from its ``key``."""
        return self.of(dict(part.split("=", 1) for part in key.split("/")))
