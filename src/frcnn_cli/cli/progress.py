"""Progress on a terminal: live bars."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.text import Text


class _Rate(ProgressColumn):
    """Images per second, over the last half minute."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {self._unit}/s", style="cyan")


class Bars(RichProgress):
    """A bar for each step, and lines of text below; gone when the work is done.

    Args:
        console: where they are drawn.
        unit: of the rate that is shown; "" shows the time so far, and hides finished bars.
    """

    text = ""

    def __init__(self, console: Console, unit: str = "") -> None:
        super().__init__(
            SpinnerColumn(style="cyan"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28, complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
            _Rate(unit) if unit else TimeElapsedColumn(),
            TextColumn("[dim]left"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=bool(unit)),
            console=console,
            transient=True,
            speed_estimate_period=30 if unit else 120,
        )
        self._hides_finished = not unit
        self._steps: dict[str, TaskID] = {}

    def report(self, step: str, done: int, total: int) -> None:
        """Moves the bar of a step, which starts again where it had finished.

        Args:
            step: such as "Detecting".
            done: how many are done.
            total: how many there are.
        """
        if step not in self._steps:
            self._steps[step] = self.add_task(step, total=total)
        elif done < total and self.tasks[self._steps[step]].finished:
            self.reset(self._steps[step])
        visible = done < total or not self._hides_finished
        self.update(self._steps[step], completed=done, total=total, visible=visible)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Returns what is drawn."""
        yield self.make_tasks_table(self.tasks)
        if self.text:
            yield Text.from_markup(f"  {self.text}", overflow="ellipsis")
