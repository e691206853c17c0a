"""A domain is the declaration of one kind of data: partitions, datasets, functions, pipelines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from spine_common.core.calc import Calc, CalcCatalog
from spine_common.core.dataset import Dataset
from spine_common.core.partition import PartitionKind
from spine_common.core.pipeline import Pipeline, Stage
from spine_common.core.quality import QualityCheck
from spine_common.core.source import RawCapture, SourceFile

Parse = Callable[[SourceFile, Mapping[str, Any]], RawCapture]


@dataclass(frozen=True, slots=True)
class Normalized:
    """Every raw row, judged: ``accepted`` in the normalized dataset, ``rejected`` as rejects."""

    accepted: pl.DataFrame = field(repr=False)
    rejected: pl.DataFrame = field(repr=False)
    checks: tuple[QualityCheck, ...] = ()


@dataclass(frozen=True, slots=True)
class Domain:
    """One kind of data, declared; the stage engines run it.

    ``parse`` takes a source file and the partition fields the command names (canonical text) and
    returns a raw capture; ``normalize`` takes a raw capture and returns a ``Normalized``. Both
    are pure. A domain of plain pipelines only (``example``) leaves the data part out.
    """

    name: str
    description: str
    pipelines: tuple[Pipeline, ...]
    partition: PartitionKind | None = None
    raw: Dataset | None = None
    normalized: Dataset | None = None
    parse: Parse | None = None
    normalize: Callable[[RawCapture], Normalized] | None = None
    calcs: tuple[Calc, ...] = ()

    @property
    def catalog(self) -> CalcCatalog:
        """The domain's calcs by name and version."""
        return CalcCatalog(self.calcs)

    def versions(self, stage: Stage) -> frozenset[str]:
        """Return the names of a stage's work for one capture, as the manifest lists it."""
        if stage is Stage.AGGREGATE:
            return frozenset(calc.versioned_name for calc in self.catalog.current())
        return frozenset({"v1"})

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """Every stored dataset of the domain."""
        stored = (self.raw, self.normalized, *(calc.dataset for calc in self.calcs))
        return tuple(dict.fromkeys(dataset for dataset in stored if dataset is not None))
