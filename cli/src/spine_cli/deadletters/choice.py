"""Which dead letters are meant: the filters that listing, retrying and discarding share."""

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from spine_cli.invocation import spine
from spine_cli.selection import parse_moment
from spine_common.core.errors import InvalidDate, InvalidParams
from spine_common.core.letters import LetterState

if TYPE_CHECKING:
    from spine_common.framework.ports.deadletters import LetterFilter
    from spine_common.framework.registry import Registry


class State(StrEnum):
    """What became of a letter, or all of these: ``LetterState`` and one more."""

    WAITING = "waiting"
    RESCHEDULED = "rescheduled"
    MOOT = "moot"
    RETRIED = "retried"
    DISCARDED = "discarded"
    ALL = "all"


StateOption = Annotated[State, typer.Option("--state", help="Only those that are, or all.")]
OfPipeline = Annotated[
    str | None, typer.Option("--pipeline", metavar="NAME", help="Only those of it; name or alias.")
]
OfPartition = Annotated[
    str | None,
    typer.Option("--partition", metavar="KEY", help="Only those of week_ending=…/tier=…"),
]
WithCode = Annotated[
    str | None, typer.Option("--code", metavar="CODE", help="Only those with this error.")
]
OfShape = Annotated[
    str | None, typer.Option("--shape", metavar="SHAPE", help="Only messages of this type.")
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only from then on: ISO, UTC; a day's beginning."),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="TIME", help="Only before then: ISO, UTC; a day's end."),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was typed to choose letters; None is not given.

    An option given without a value is refused here, before anything is done: it comes from a
    script's variable that is not set, and whoever wrote it did not mean all letters.
    """

    pipeline: str | None = None
    partition: str | None = None
    code: str | None = None
    shape: str | None = None
    since: str | None = None
    until: str | None = None
    state: State = State.WAITING

    def __post_init__(self) -> None:
        """Raise ``InvalidParams`` for an option without a value, ``InvalidDate`` for no time."""
        groups = f"see {spine('dlq', 'groups')}"
        right = {
            "pipeline": f"Give a name or alias, see {spine('pipeline', 'list')}",
            "partition": "Give one like week_ending=2025-11-14/tier=OTC",
            "code": f"Give an error's code, {groups}",
            "shape": f"Give a message's type, {groups}",
        }
        for field, remedy in right.items():
            value = getattr(self, field)
            if value is not None and not value.strip():
                raise InvalidParams(
                    f"--{field} can't be {value!r}.",
                    remedy=f"{remedy}, or leave --{field} out.",
                    field=field,
                )
        self._moments()

    @property
    def is_given(self) -> bool:
        """Whether anything was typed."""
        return self != Choice()

    def wanted(self, registry: "Registry") -> "LetterFilter":
        """Return the letters meant; ``PipelineNotFound`` and ``InvalidDate`` say what is wrong."""
        from spine_common.framework.ports.deadletters import LetterFilter  # noqa: PLC0415 - heavy

        since, until = self._moments()
        return LetterFilter(
            states=() if self.state is State.ALL else (LetterState(self.state),),
            pipeline=registry.pipeline(self.pipeline).name if self.pipeline is not None else None,
            partition_key=self.partition,
            code=self.code,
            shape=self.shape,
            since=since,
            until=until,
        )

    def _moments(self) -> tuple[datetime | None, datetime | None]:
        since = parse_moment(self.since, "--since") if self.since is not None else None
        until = parse_moment(self.until, "--until") if self.until is not None else None
        if since is not None and len(self.since or "") == len("2025-12-20"):
            # A mere day is read as its end, and who says "since Monday" means Monday, too.
            since = datetime.combine(since, time.min, since.tzinfo)
        if since is not None and until is not None and since >= until:
            raise InvalidDate("--since is not before --until.", remedy="Swap them.", field="since")
        return since, until
