"""What a stage is to the framework: a function from a command to a result it did not commit."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from spine_common.contracts.commands import Command
from spine_common.core.capture import Capture, NewCapture
from spine_common.core.dataset import Dataset
from spine_common.core.quality import QualityCheck
from spine_common.core.rejects import no_rejects
from spine_common.framework.context import StageContext


@dataclass(frozen=True, slots=True)
class Load:
    """Rows for one dataset. ``version`` names the work they are, as the manifest lists it."""

    version: str
    dataset: Dataset
    frame: pl.DataFrame = field(repr=False)


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage made of a partition; the runner commits it, whole.

    A ``NewCapture`` may turn out to be the latest one seen again, and then nothing is written.
    ``object_key`` is where the rows are in the object store, too, for a stage that put them there.
    """

    capture: Capture | NewCapture
    loads: tuple[Load, ...]
    rejected: pl.DataFrame = field(default_factory=no_rejects, repr=False)
    checks: tuple[QualityCheck, ...] = ()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    object_key: str | None = None

    @property
    def versions(self) -> dict[str, int]:
        """The work the manifest will show as done, with its rows."""
        return {load.version: load.frame.height for load in self.loads}


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """The manifest shows the work as done already."""

    capture: Capture
    reason: str


@dataclass(frozen=True, slots=True)
class PlainResult:
    """What a plain pipeline reported; it owns no partition and writes no data."""

    metrics: Mapping[str, Any]


StageOutput = StageResult | NothingToDo | PlainResult
StageFunction = Callable[[Command, StageContext], Awaitable[StageOutput]]
