"""Whether rejects and checks are kept with their capture, the newest in place of the older."""

import polars as pl

from spine_common.adapters.database.unit_of_work import SqlDatabase
from spine_common.core.pipeline import Stage
from spine_common.core.quality import CheckStatus, QualityCheck, check
from spine_common.core.rejects import REJECT_SCHEMA, no_rejects
from spine_common.framework.ports.queries import Window

from .builders import BY, captured

ALL = Window(limit=None)


def rejected(*lines: tuple[int, str], text: str = 'a|"b"|\\N') -> pl.DataFrame:
    rows = [
        {"line": line, "reason": reason, "column": None, "value": "", "detail": "d", "text": text}
        for line, reason in lines
    ]
    return pl.DataFrame(rows, schema=REJECT_SCHEMA)


async def test_a_reject_keeps_its_place_reason_and_text(database: SqlDatabase):
    capture = await captured(database)
    text = 'OTC|"AABB|\\N|Zürich\t\r|'

    async with database.transaction() as tx:
        stored = await tx.evidence.rejects(capture, Stage.NORMALIZE, rejected((7, "X"), text=text))

    async with database.reading() as tx:
        page = await tx.queries.rejects(capture, window=ALL)
    assert stored == page.total == 1
    assert page.rows == [
        {
            "capture_no": capture.capture_no,
            "stage": "normalize",
            "line": 7,
            "reason": "X",
            "column": None,
            "value": "",
            "detail": "d",
            "text": text,
        }
    ]


async def test_new_rejects_take_the_place_of_the_stages_earlier_ones(database: SqlDatabase):
    capture, other = await captured(database, "a"), await captured(database, "b")
    async with database.transaction() as tx:
        for of in (capture, other):
            await tx.evidence.rejects(of, Stage.NORMALIZE, rejected((2, "X"), (3, "X")))
        await tx.evidence.rejects(capture, Stage.INGEST, rejected((2, "Y")))

    async with database.transaction() as tx:
        await tx.evidence.rejects(capture, Stage.NORMALIZE, rejected((5, "Z")))

    async with database.reading() as tx:
        assert await tx.queries.reject_reasons(capture) == {"Y": 1, "Z": 1}
        assert await tx.queries.reject_reasons(other) == {"X": 2}


async def test_no_rejects_clear_the_earlier_ones(database: SqlDatabase):
    capture = await captured(database)
    async with database.transaction() as tx:
        await tx.evidence.rejects(capture, Stage.NORMALIZE, rejected((2, "X")))
        assert await tx.evidence.rejects(capture, Stage.NORMALIZE, no_rejects()) == 0

    async with database.reading() as tx:
        assert await tx.queries.reject_reasons(capture) == {}


async def test_rejects_come_by_line_and_can_be_picked_by_reason(database: SqlDatabase):
    capture = await captured(database)
    async with database.transaction() as tx:
        frame = rejected((9, "X"), (2, "Y"), (4, "X"), (11, "X"))
        await tx.evidence.rejects(capture, Stage.NORMALIZE, frame)

    async with database.reading() as tx:
        first = await tx.queries.rejects(capture, window=Window(limit=2))
        x = await tx.queries.rejects(capture, reason="X", window=Window(limit=2, offset=1))
        reasons = await tx.queries.reject_reasons(capture)
    assert ([row["line"] for row in first.rows], first.total) == ([2, 4], 4)
    assert ([row["line"] for row in x.rows], x.total) == ([9, 11], 3)
    assert list(reasons.items()) == [("X", 3), ("Y", 1)]


async def test_a_check_is_kept_with_its_answer(database: SqlDatabase):
    capture = await captured(database)
    answers = [
        check("sum", holds=False, expected=1, observed=0.5, detail="half is missing"),
        QualityCheck("age", CheckStatus.WARNED, "7 days", "9 days"),
    ]

    async with database.transaction() as tx:
        await tx.evidence.checks(capture, Stage.AGGREGATE, answers, BY)

    async with database.reading() as tx:
        age, total = await tx.queries.checks(capture)
    assert (age["name"], age["status"], age["detail"]) == ("age", "warned", "")
    assert (total["status"], total["expected"], total["observed"]) == ("failed", "1", "0.5")
    assert (total["detail"], total["execution_id"]) == ("half is missing", BY)


async def test_a_check_asked_again_has_one_answer_and_the_others_stay(database: SqlDatabase):
    capture = await captured(database)
    once = [check(name, holds=False, expected=1, observed=2) for name in ("a", "b")]
    again = [check("a", holds=True, expected=1, observed=1)]

    async with database.transaction() as tx:
        await tx.evidence.checks(capture, Stage.AGGREGATE, once, BY)
        await tx.evidence.checks(capture, Stage.NORMALIZE, once, BY)
    async with database.transaction() as tx:
        await tx.evidence.checks(capture, Stage.AGGREGATE, again, BY)

    async with database.reading() as tx:
        found = [
            (row["stage"], row["name"], row["status"]) for row in await tx.queries.checks(capture)
        ]
    assert found == [
        ("aggregate", "a", "passed"),
        ("aggregate", "b", "failed"),
        ("normalize", "a", "failed"),
        ("normalize", "b", "failed"),
    ]
