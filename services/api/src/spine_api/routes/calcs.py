"""Calculations: what is computed, and its rows for a partition, as of any day."""

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query

from spine_api.question import CalcQuery, read_question
from spine_api.readiness import Done, read_readiness
from spine_api.schemas.calcs import (
    CalcAnswer,
    CalcList,
    CalcRows,
    CaptureAnswer,
    Pagination,
    Readiness,
)
from spine_api.schemas.errors import failures
from spine_api.vintage import choose_capture
from spine_api.wiring import Composed
from spine_common.core.calc import Calc
from spine_common.core.capture import Capture
from spine_common.core.errors import DataNotReady
from spine_common.core.pipeline import Stage

router = APIRouter(prefix="/data/calcs", tags=["data"])


@router.get("", summary="List the calculations there are.", responses=failures())
async def list_calcs(platform: Composed) -> CalcList:
    """Return every version of every calculation with its columns."""
    calcs = (
        CalcAnswer.of(calc, domain)
        for domain in platform.registry.domains.values()
        for name in domain.catalog.names()
        for calc in domain.catalog.versions(name)
    )
    return CalcList(calcs=list(calcs))


@router.get(
    "/{name}", summary="Answer a calculation's rows.", responses=failures(400, 404, 409, 503)
)
async def get_calc(name: str, query: Annotated[CalcQuery, Query()], platform: Composed) -> CalcRows:
    """Return rows of `name` (its current version) or `name_vN` for one capture of a partition.

    Without `capture_id` or `as_of` that is the latest capture; when its numbers are not computed
    yet the answer is 409 DATA_NOT_READY, never an older vintage.
    """
    domain, calc = platform.registry.calc(name)
    question = read_question(domain, calc, query)
    async with platform.database.reading() as tx:
        capture = await choose_capture(tx, domain, question.kind, question.vintage)
        latest = await tx.captures.latest(capture.partition) or capture
        readiness, done = await read_readiness(tx, domain, capture)
        _check_computed(calc, capture, readiness, done)
        page = await tx.queries.rows(
            calc.dataset, capture, where=question.where, window=question.window
        )
        query_time = await tx.now()
    return CalcRows(
        calc_name=calc.name,
        calc_version=calc.version,
        calc_deprecated=bool(calc.deprecated),
        deprecation_message=calc.deprecated or None,
        query_time=query_time,
        capture=CaptureAnswer.of(capture, latest),
        readiness=readiness,
        rows=[{column: _json(value) for column, value in row.items()} for row in page.rows],
        pagination=Pagination(
            offset=query.offset,
            limit=query.limit,
            total=page.total,
            has_more=query.offset + len(page.rows) < page.total,
        ),
    )


def _check_computed(calc: Calc, capture: Capture, readiness: Readiness, done: Done) -> None:
    """Without this an answer without rows could mean two things."""
    if calc.versioned_name not in done[Stage.AGGREGATE]:
        raise DataNotReady(
            f"{calc.versioned_name} is not computed yet for {capture.capture_id}.",
            remedy="Wait for its execution, or name an earlier capture.",
            capture_id=capture.capture_id,
            blocking_issues=[issue.message for issue in readiness.blocking_issues],
        )


def _json(value: Any) -> Any:
    """Return a quantity as the shortest text that is exact; everything else as it is."""
    if not isinstance(value, Decimal):
        return value
    written = format(value, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written
