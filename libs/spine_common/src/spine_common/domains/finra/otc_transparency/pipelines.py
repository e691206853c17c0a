"""What can be run for a week of a tier, by which name and with which parameters."""

import re
from typing import Any

from spine_common.core.errors import InvalidParams
from spine_common.core.pipeline import Param, Pipeline, Stage, boolean
from spine_common.domains.finra.otc_transparency.partition import (
    DOMAIN,
    TIERS,
    WEEK_TIER,
    parse_tier,
    parse_week_ending,
)

_CAPTURE_ID = re.compile(r"[A-Za-z0-9._-]{1,120}")


def _file_path(value: Any) -> str:
    path = str(value)
    if not path.strip() or "\x00" in path:
        raise InvalidParams(f"file_path can't be {path[:80]!r}.", remedy="It is a path to a file.")
    if "://" in path:
        raise InvalidParams(
            f"file_path can't be {path[:80]!r}: no address is fetched.",
            remedy="It is a path to a file in one of the folders files may be read from.",
        )
    return path


def _capture_id(value: Any) -> str:
    # A capture id becomes part of an object's key, so it can't be let lead anywhere else.
    if not _CAPTURE_ID.fullmatch(str(value)):
        raise InvalidParams(
            f"capture_id can't be {str(value)[:80]!r}.",
            remedy="It has up to 120 letters, digits, dots, dashes and underscores.",
        )
    return str(value)


_WEEK_ENDING = Param(
    "week_ending", "the Friday of the trading week, YYYY-MM-DD", "date", parse_week_ending
)
_TIER = Param("tier", "the tier, also as T1, T2 or OTCE", parse=parse_tier, choices=TIERS)
_FORCE = Param("force", "do it even if it is done", "boolean", boolean, default=False)
_CAPTURE = Param(
    "capture_id", "the capture to work on; the latest one if left out", "text", _capture_id
)
_FETCH = (
    _WEEK_ENDING,
    _TIER,
    Param("file_path", "the weekly file to read", "text", _file_path),
    Param("source", "where the week comes from", default="file", choices=("file",)),
    _FORCE,
)
_DERIVE = (_WEEK_ENDING, _TIER, _CAPTURE, _FORCE)

INGEST_WEEK = Pipeline(
    name=f"{DOMAIN}.ingest_week",
    stage=Stage.INGEST,
    description="Capture a weekly file as it is published.",
    params=_FETCH,
    aliases=("otc.ingest",),
    partition=WEEK_TIER,
)
NORMALIZE_WEEK = Pipeline(
    name=f"{DOMAIN}.normalize_week",
    stage=Stage.NORMALIZE,
    description="Turn a captured week into typed rows and rejects.",
    params=_DERIVE,
    aliases=("otc.normalize",),
    partition=WEEK_TIER,
)
AGGREGATE_WEEK = Pipeline(
    name=f"{DOMAIN}.aggregate_week",
    stage=Stage.AGGREGATE,
    description="Compute summaries, shares and concentration of a normalized week.",
    params=_DERIVE,
    aliases=("otc.summarize",),
    partition=WEEK_TIER,
)
PROCESS_WEEK = Pipeline(
    name=f"{DOMAIN}.process_week",
    stage=Stage.WORKFLOW,
    description="Ingest, normalize and aggregate a week of a tier.",
    params=_FETCH,
    steps=(INGEST_WEEK.name, NORMALIZE_WEEK.name, AGGREGATE_WEEK.name),
    partition=WEEK_TIER,
)

PIPELINES = (PROCESS_WEEK, INGEST_WEEK, NORMALIZE_WEEK, AGGREGATE_WEEK)
