"""Whether the newest figures of every scenario reach the page, and nothing else changes there."""

import sys

import pytest

from spine_common.testing.chaos.report import Report, append, main

PAGE = "before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n"


def report(scenario: str, *, recovery: float = 1.0, lost: int = 0) -> Report:
    return Report(
        scenario=scenario,
        seed=1,
        faults=2,
        partitions=3,
        executions=12,
        lost=lost,
        duplicated=0,
        recovery=recovery,
        seconds=5.0,
    )


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.delenv("SPINE_CHAOS_REPORT", raising=False)

    def written(text: str, *reports: Report, name: str = "figures") -> str:
        lines, page = tmp_path / "runs" / "report.jsonl", tmp_path / "page.md"
        for one in reports:
            append(one, lines)
        page.write_text(text)
        monkeypatch.setattr(sys, "argv", ["report", str(lines), str(page), name])
        main()
        return page.read_text()

    return written


def test_the_newest_of_each_scenario_stands_between_the_marks_with_the_sums(write):
    page = write(PAGE, report("b", lost=1), report("a", recovery=7.25), report("b", recovery=2.0))

    assert page == (
        "before\n<!-- figures: begin -->\n"
        "| scenario | faults | partitions | executions | lost | duplicated | recovery (s) |\n"
        "|---|--:|--:|--:|--:|--:|--:|\n"
        "| a | 2 | 3 | 12 | 0 | 0 | 7.2 |\n"
        "| b | 2 | 3 | 12 | 0 | 0 | 2.0 |\n"
        "| **2 scenarios** | **4** | **6** | **24** | **0** | **0** | **longest 7.2** |\n"
        "<!-- figures: end -->\nafter\n"
    )


def test_one_scenario_has_no_sums(write):
    assert "scenarios" not in write(PAGE, report("a"))


@pytest.mark.parametrize("page", ["nothing\n", PAGE + PAGE, PAGE.replace("end", "and")])
def test_a_page_without_its_marks_is_left_as_it_is(write, page, tmp_path):
    with pytest.raises(SystemExit, match="figures: begin"):
        write(page, report("a"))

    assert (tmp_path / "page.md").read_text() == page
