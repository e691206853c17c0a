"""What a scenario has shown, in figures: a line of JSON for each run, a table for people."""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "SPINE_CHAOS_REPORT"


@dataclass(frozen=True, slots=True)
class Report:
    """One scenario's figures; times in seconds.

    ``recovery`` is from the moment nothing stood in the way any more (or, for faults that pass by
    themselves, from the last one) until everything ordered had ended.
    """

    scenario: str
    seed: int
    faults: int
    partitions: int
    executions: int
    lost: int
    duplicated: int
    recovery: float
    seconds: float


def append(report: Report, default: Path) -> None:
    """Add a report to the file the environment names, or to ``default``."""
    path = Path(os.environ.get(FILE) or default)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lines:
        lines.write(json.dumps(asdict(report)) + "\n")


def read(path: Path) -> list[Report]:
    """Return the newest report of every scenario, by name."""
    newest = {}
    for line in path.read_text().splitlines():
        report = Report(**json.loads(line))
        newest[report.scenario] = report
    return [newest[name] for name in sorted(newest)]


def table(reports: Iterable[Report]) -> str:
    """Return reports as a Markdown table with their sums."""
    lines = [
        "| scenario | faults | partitions | executions | lost | duplicated | recovery (s) |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    every = list(reports)
    lines += [
        f"| {one.scenario} | {one.faults} | {one.partitions} | {one.executions} | {one.lost}"
        f" | {one.duplicated} | {one.recovery:.1f} |"
        for one in every
    ]
    if len(every) == 1:
        return "\n".join(lines)
    lines.append(
        f"| **{len(every)} scenarios** | **{sum(one.faults for one in every)}**"
        f" | **{sum(one.partitions for one in every)}**"
        f" | **{sum(one.executions for one in every)}**"
        f" | **{sum(one.lost for one in every)}**"
        f" | **{sum(one.duplicated for one in every)}**"
        f" | **longest {max((one.recovery for one in every), default=0.0):.1f}** |"
    )
    return "\n".join(lines)


def main() -> None:
    """Write the table of a report file into a page, between the two marks of a name."""
    reports, page, name = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    text = page.read_text()
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"{page} needs {begin} and {end}, each once.")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{table(read(reports))}\n{end}{after}")


if __name__ == "__main__":
    main()
