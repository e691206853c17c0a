"""A pipeline is a named operation: its stage, its parameters, and what follows it."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from spine_common.core.errors import InvalidParams, MissingRequired
from spine_common.core.partition import PartitionKind


class Stage(StrEnum):
    """Which engine runs a pipeline."""

    INGEST = "ingest"
    """Source to capture."""
    NORMALIZE = "normalize"
    """Capture to valid rows and rejects."""
    AGGREGATE = "aggregate"
    """Valid rows to calculations."""
    WORKFLOW = "workflow"
    """No engine: its children do the work, the last one to finish completes it."""


WORK_STAGES = (Stage.INGEST, Stage.NORMALIZE, Stage.AGGREGATE)


class Lane(StrEnum):
    """Which queue of a stage a command waits in."""

    NORMAL = "normal"
    BACKFILL = "backfill"
    """Bulk work, so that the day's publication never waits behind five years of history."""
    SLOW = "slow"


Road = tuple[Stage, Lane]
"""A work queue: each stage has one for every lane."""
WORK_ROADS: tuple[Road, ...] = tuple((stage, lane) for stage in WORK_STAGES for lane in Lane)


class TriggerSource(StrEnum):
    """Who ordered an execution."""

    API = "api"
    CLI = "cli"
    SCHEDULER = "scheduler"
    WORKFLOW = "workflow"
    DLQ = "dlq"


def text(value: Any) -> str:
    """Read a parameter that is any text."""
    return str(value)


def boolean(value: Any) -> bool:
    """Read a yes or no as people and shells spell it."""
    spelled = str(value).strip().lower()
    if spelled in {"true", "1", "yes", "y", "on"}:
        return True
    if spelled in {"false", "0", "no", "n", "off"}:
        return False
    raise InvalidParams(f"{value!r} is neither true nor false.")


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. ``parse`` gives the canonical value or raises ``InvalidParams``."""

    name: str
    description: str
    type: str = "text"
    parse: Callable[[Any], Any] = text
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """What a plain pipeline reports: a status, when, what went wrong, and numbers."""

    status: str
    started_at: datetime
    completed_at: datetime | None = None
    error: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A named operation.

    A workflow names its ``steps``, run one after the other for one partition. A plain pipeline
    gives ``run``, a function from its parameters to a result; everything else is run by the
    engine of its ``stage`` from the domain's declaration. ``max_retries`` is for one whose
    failures are worth more, or fewer, tries than others'.
    """

    name: str
    stage: Stage
    description: str
    params: tuple[Param, ...] = ()
    aliases: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    partition: PartitionKind | None = None
    run: Callable[[Mapping[str, Any]], PipelineResult] | None = None
    max_retries: int | None = None

    def read_params(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return every parameter in canonical form; None and unset ones are left out.

        Raises ``InvalidParams`` naming the parameter, the value and what would be right.
        """
        known = {param.name: param for param in self.params}
        for name in given:
            if name not in known:
                raise self._unknown(name)
        values: dict[str, Any] = {}
        for param in self.params:
            value = given.get(param.name)
            if value is None:
                value = param.default
            if value is None:
                if param.required:
                    raise MissingRequired(
                        f"{self.name} needs {param.name}: {param.description}.", field=param.name
                    )
                continue
            values[param.name] = _read(param, value)
        return values

    def _unknown(self, name: str) -> InvalidParams:
        names = [param.name for param in self.params]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        takes = f"It takes {', '.join(names)}." if names else "It takes none."
        return InvalidParams(
            f"{self.name} has no parameter {name!r}.", remedy=hint + takes, field=name
        )


def _read(param: Param, value: Any) -> Any:
    try:
        read = param.parse(value)
    except InvalidParams as error:
        if param.name in error.message:
            raise
        raise type(error)(
            f"{param.name}: {error.message}", remedy=error.remedy, field=param.name
        ) from error
    except (TypeError, ValueError) as error:
        raise InvalidParams(
            f"{param.name} can't be {value!r}.",
            remedy=f"It is {param.description}.",
            field=param.name,
        ) from error
    if param.choices and str(read) not in param.choices:
        raise InvalidParams(
            f"{param.name} can't be {value!r}.",
            remedy=f"It is one of {', '.join(param.choices)}.",
            field=param.name,
        )
    return read
