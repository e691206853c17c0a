"""A calc is a pure, versioned function from normalized rows to one derived table."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

import polars as pl

from spine_common.core.dataset import Dataset
from spine_common.core.errors import CalcNotFound
from spine_common.core.quality import QualityCheck

Compute = Callable[[pl.DataFrame], pl.DataFrame]
Checks = Callable[[pl.DataFrame, pl.DataFrame], Iterable[QualityCheck]]
_VERSIONED = re.compile(r"(?P<name>.+)_v(?P<version>[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Calc:
    """One version of a calculation.

    ``compute`` takes the normalized frame of one capture and returns a frame of ``dataset``;
    ``checks`` takes both and answers the calculation's invariants.
    """

    name: str
    version: int
    dataset: Dataset
    compute: Compute
    checks: Checks
    description: str
    deprecated: str = ""
    """Why this version is deprecated and what to use; empty for a version in good standing."""

    @property
    def versioned_name(self) -> str:
        """The name with its version: ``venue_share_v1``."""
        return f"{self.name}_v{self.version}"


class CalcCatalog:
    """The calcs of a domain: each name has versions, exactly one of them current."""

    def __init__(self, calcs: Iterable[Calc]) -> None:
        ordered = sorted(calcs, key=lambda calc: (calc.name, calc.version))
        self._versions: dict[str, tuple[Calc, ...]] = {}
        for name, versions in groupby(ordered, key=lambda calc: calc.name):
            self._versions[name] = tuple(versions)
            self._check(name)

    def _check(self, name: str) -> None:
        versions = self._versions[name]
        numbers = [calc.version for calc in versions]
        if numbers != list(range(1, len(numbers) + 1)):
            raise ValueError(f"calc {name} must keep every version from 1 on; it has {numbers}.")
        if versions[-1].deprecated:
            raise ValueError(f"calc {name}: the current version {numbers[-1]} is deprecated.")

    def names(self) -> tuple[str, ...]:
        """Return the calc names, sorted."""
        return tuple(self._versions)

    def versions(self, name: str) -> tuple[Calc, ...]:
        """Return every version of a calc, oldest first, in numeric order."""
        if name not in self._versions:
            raise self._unknown(name)
        return self._versions[name]

    def current(self) -> tuple[Calc, ...]:
        """Return the current version of every calc."""
        return tuple(versions[-1] for versions in self._versions.values())

    def get(self, name: str) -> Calc:
        """Return ``name`` (its current version) or ``name_vN``; ``CalcNotFound`` otherwise."""
        if name in self._versions:
            return self._versions[name][-1]
        if match := _VERSIONED.fullmatch(name):
            for calc in self._versions.get(match["name"], ()):
                if calc.version == int(match["version"]):
                    return calc
        raise self._unknown(name)

    def _unknown(self, name: str) -> CalcNotFound:
        known = ", ".join(calc.versioned_name for calc in self.current())
        return CalcNotFound(f"There is no calc {name!r}.", remedy=f"Current calcs: {known}.")
