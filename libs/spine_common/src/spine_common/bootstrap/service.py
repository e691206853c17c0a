"""What a service is: a name, the stages it runs, whether it handles dead letters, its web app."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp

from spine_common.bootstrap.platform import Platform
from spine_common.core.pipeline import Stage
from spine_common.framework.stage import StageFunction
from spine_common.observability.checks import Check

Liveness = Callable[[], bool]
AppFactory = Callable[[Platform, Mapping[str, Check], Liveness], ASGIApp]
"""Makes a web app that says by its health routes what the checks find, and whether it is alive."""


@dataclass(frozen=True, slots=True)
class Service:
    """A process of the product, declared. ``app`` replaces the plain health app.

    ``beside`` runs for good beside the consumers, once what the process depends on answers.
    """

    name: str
    stages: Mapping[Stage, StageFunction] = field(default_factory=dict)
    dead_letters: bool = False
    app: AppFactory | None = None
    beside: Callable[[Platform], Coroutine[Any, Any, None]] | None = None
