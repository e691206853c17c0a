"""How progress looks: a table that changes on a terminal, a line for each end elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from spine_cli.progress import Line
from spine_cli.render import printable
from spine_common.core.execution import Status

ShowLines = Callable[[Sequence[Line]], None]

_STYLES = {
    Status.RUNNING: "cyan",
    Status.COMPLETED: "green",
    Status.SKIPPED: "yellow",
    Status.RETRY_SCHEDULED: "yellow",
    Status.FAILED: "red",
    Status.DEAD_LETTERED: "bold red",
    Status.CANCELLED: "magenta",
}
_MOST = 18
"""Lines a small terminal has room for; an order for every partition has more."""


@contextmanager
def progress_view(console: Console) -> Iterator[ShowLines]:
    """Yield what shows lines: in place on a terminal, each when it ends elsewhere."""
    if not console.is_terminal:
        yield _plain(console)
        return
    with Live(console=console, refresh_per_second=10) as live:
        spinners: dict[str, Spinner] = {}
        yield lambda lines: live.update(_table(lines, spinners))


def _plain(console: Console) -> ShowLines:
    said: dict[str, tuple[Status | None, str]] = {}

    def show(lines: Sequence[Line]) -> None:
        width = max(len(line.label) for line in lines)
        for line in lines:
            # The seconds left to a retry change all the time: it is told once.
            told = (line.status, "" if line.status is Status.RETRY_SCHEDULED else line.note)
            if said.get(line.label) != told and _is_news(line):
                took = f"{line.seconds:.2f} s" if line.seconds is not None else ""
                cells = (f"{line.label:<{width}}", f"{line.status:<9}", line.rows, took, line.note)
                console.print(Text("  ".join(filter(None, map(printable, cells)))), soft_wrap=True)
            said[line.label] = told

    return show


def _is_news(line: Line) -> bool:
    # A failure waits for its verdict a moment only, and the verdict says it all.
    return not line.is_open or line.status is Status.RETRY_SCHEDULED


def _table(lines: Sequence[Line], spinners: dict[str, Spinner]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    shown = _most_telling(lines)
    for line in shown:
        took = f"{line.seconds:.1f} s" if line.seconds is not None else ""
        style = _STYLES.get(line.status, "dim") if line.status else "dim"
        state = Text(line.status or "waiting", style=style)
        mark = _mark(line, spinners)
        note = Text(printable(line.note), style="dim")
        table.add_row(mark, Text(printable(line.label)), state, line.rows, took, note)
    if hidden := len(lines) - len(shown):
        table.add_row("", Text(f"… {hidden:,} more", style="dim"))
    return table


def _most_telling(lines: Sequence[Line]) -> Sequence[Line]:
    """Return the lines there is room for: what is under way and what failed before what is done."""
    if len(lines) <= _MOST:
        return lines
    dull = {Status.COMPLETED, Status.SKIPPED}
    ranked = sorted(
        range(len(lines)), key=lambda i: (lines[i].status in dull, lines[i].status is None, i)
    )
    return [lines[i] for i in sorted(ranked[:_MOST])]


def _mark(line: Line, spinners: dict[str, Spinner]) -> RenderableType:
    match line.status:
        case Status.RUNNING:
            return spinners.setdefault(line.label, Spinner("dots", style="cyan"))
        case Status.COMPLETED:
            return Text("✓", style="green")
        case Status.SKIPPED:
            return Text("=", style="yellow")
        case Status.FAILED | Status.DEAD_LETTERED | Status.CANCELLED:
            return Text("✗", style="red")
        case _:
            return Text("·", style="dim")
