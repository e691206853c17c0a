"""The options commands share, and what the parameters on a command line amount to."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from spine_cli.errors import WANTS_JSON
from spine_common.core.errors import InvalidParams
from spine_common.core.pipeline import Lane


def _remember_json(ctx: typer.Context, value: bool) -> bool:  # noqa: FBT001 - Typer's signature
    ctx.meta[WANTS_JSON] = value
    return value


Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document.", callback=_remember_json)
]
PipelineName = Annotated[
    str,
    typer.Argument(metavar="PIPELINE", help="Its name or alias, see `spine pipeline list`."),
]
ExecutionIdArgument = Annotated[str, typer.Argument(metavar="ID", help="The execution's id.")]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", metavar="KEY=VALUE", help="A parameter; may be repeated."),
]
WeekEnding = Annotated[
    str | None,
    typer.Option(
        "--week-ending", "--week", metavar="YYYY-MM-DD", help="The Friday of the trading week."
    ),
]
Tier = Annotated[
    str | None, typer.Option(metavar="TIER", help="NMS_TIER_1 (T1), NMS_TIER_2 (T2) or OTC.")
]
File = Annotated[
    str | None, typer.Option("--file", metavar="PATH", help="The same as -p file_path=PATH.")
]
Day = Annotated[
    str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="The same as -p date=…")
]
Force = Annotated[bool, typer.Option("--force", help="Do it even if it is done.")]
LaneOption = Annotated[Lane, typer.Option("--lane", help="Which queue it waits in.")]
Wait = Annotated[bool, typer.Option("--wait", help="Follow it until it has ended.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Instead of what SPINE_HTTP_PORT says.")
]


def shorthands(
    week_ending: str | None, tier: str | None, file: str | None, date: str | None, *, force: bool
) -> Mapping[str, Any]:
    """Return the parameters the shorthand options stand for; None is not given."""
    given = {"week_ending": week_ending, "tier": tier, "file_path": file, "date": date}
    return {**given, "force": True if force else None}


def collect_params(pairs: Iterable[str] | None, shorthands: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters ``KEY=VALUE`` pairs and shorthands give; None is not given.

    Raises ``InvalidParams`` for a pair without ``=``, and for a parameter given twice.
    """
    given: dict[str, Any] = {}
    for pair in pairs or ():
        name, separator, value = pair.partition("=")
        if not separator or not name.strip():
            raise InvalidParams(
                f"{pair!r} is no parameter.", remedy="Write -p KEY=VALUE, like -p tier=OTC."
            )
        _add(given, name.strip(), value)
    for name, value in shorthands.items():
        if value is not None:
            _add(given, name, value)
    return given


def _add(given: dict[str, Any], name: str, value: Any) -> None:
    if name in given:
        raise InvalidParams(f"{name} is given twice.", remedy="Give it once.", field=name)
    given[name] = value
