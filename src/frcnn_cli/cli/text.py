"""The look of what a command prints: its tables, and its closing lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from frcnn_cli import errors

if TYPE_CHECKING:
    from frcnn_cli.records import OperatingPoint

count = errors.count


def headline(text: str, *, complete: bool = True) -> Text:
    """Returns a closing line with its mark: whether all of it was done."""
    mark = ("✓ ", "bold green") if complete else ("! ", "bold magenta")
    return Text.assemble(mark, (text, "bold"))


def facts(
    title: str, rows: Mapping[str, str | Sequence[str]], *, complete: bool = True
) -> RenderableType:
    """Returns a headline over aligned facts.

    Args:
        title: what was done, such as "5,011 images have proposals".
        rows: label → value; an empty value leaves its row out. Of several values, such as "dog 3"
            and "cat 1", none is broken where a line ends.
        complete: whether all of it was done.
    """
    shown = {label: value for label, value in rows.items() if value}
    return Group(headline(title, complete=complete), _Facts(shown))


class _Facts:
    """Aligned facts. Paths and commands stay on one line, so that they can be copied."""

    def __init__(self, rows: Mapping[str, str | Sequence[str]]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        labels = max(map(cell_len, self._rows), default=0)
        room = max(options.max_width - labels - 4, 20)
        for label, value in self._rows.items():
            head = f"  {set_cell_size(label, labels)}  "
            lines = value.splitlines() if isinstance(value, str) else _filled(value, room)
            for line in map(Text, lines):
                is_path = "/" in line.plain or line.plain.startswith("frcnn ")
                to_copy = is_path and isinstance(value, str)
                for part in [line] if to_copy else line.wrap(console, room, overflow="fold"):
                    part.rstrip()
                    shown = Text.assemble((head, "dim"), part)
                    shown.no_wrap, shown.overflow = True, "ignore"
                    yield shown
                    head = " " * len(head)


def _filled(values: Sequence[str], room: int) -> Iterator[str]:
    """Yields lines of values with commas between them, each with as many as fit into `room`."""
    line = ""
    for place, value in enumerate(values, start=1):
        shown = errors.printable(value) + ("," if place < len(values) else "")
        if line and cell_len(line) + 1 + cell_len(shown) > room:
            yield line
            line = shown
        else:
            line = f"{line} {shown}" if line else shown
    yield line


def grid(rows: Mapping[str, str], label_style: str = "dim", style: str = "") -> Table:
    """Returns labels and values, aligned.

    Args:
        rows: label → value.
        label_style: style of the labels.
        style: style of the values.
    """
    shown = Table.grid(padding=(0, 2))
    for label, value in rows.items():
        shown.add_row(Text(label, label_style), Text(value, style, overflow="fold"))
    return shown


def table(
    columns: Mapping[str, RenderableType],
    *,
    caption: str | None = None,
    styles: Mapping[str, str] | None = None,
) -> Table:
    """Returns an empty table; its first column has names, the others numbers.

    Args:
        columns: heading → what stands below the rows, if anything.
        caption: what stands below the table.
        styles: of columns, by heading.
    """
    has_footer = any(columns.values())
    shown = Table(
        box=box.SIMPLE_HEAD, caption=caption, caption_justify="left", show_footer=has_footer
    )
    for place, (name, footer) in enumerate(columns.items()):
        style = (styles or {}).get(name, "")
        shown.add_column(
            Text(name),
            footer,
            style=style,
            footer_style=style,
            justify="right" if place else "left",
            no_wrap=place > 0,
            overflow="fold",
        )
    return shown


MOST_ROWS = 50
"""Classes that a table lists; of more, the number is given."""


def from_score(point: OperatingPoint) -> str:
    """Returns "from score 0.312: precision 0.721, recall 0.655"."""
    rates = f"precision {point.precision:.3f}, recall {point.recall:.3f}"
    return f"from score {point.score:.3f}: {rates}"


def duration(seconds: float) -> str:
    """Returns "0.34 s", "12 s", "2 min 10 s" or "1 h 05 min"."""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def size(number: int) -> str:
    """Returns "812 B", "3.4 MB" or "1.2 GB"."""
    if number < 1000:
        return f"{number} B"
    value, unit = number / 1e3, "kB"
    for larger in ("MB", "GB", "TB"):
        if value >= 999.95:
            value, unit = value / 1000, larger
    return f"{value:,.1f} {unit}"


def ago(seconds: float) -> str:
    """Returns "today", "yesterday" or "12 days ago"."""
    days = int(max(seconds, 0) // 86_400)
    return {0: "today", 1: "yesterday"}.get(days, f"{days:,} days ago")
