"""Live display of a training run."""

from __future__ import annotations

import logging
import time
from collections import deque
from datetime import timedelta
from typing import Self

from frcnn_cli.cli.progress import Bars
from frcnn_cli.cli.terminal import Terminal
from frcnn_cli.cli.text import count, facts
from frcnn_cli.cli.train.preflight import render_data_check, render_estimate
from frcnn_cli.runtime.progress import SECONDS_BETWEEN_LINES, log_lines
from frcnn_cli.training.engine.report import StepReport
from frcnn_cli.training.preflight.checks import DataCheck, RunEstimate
from frcnn_cli.training.runs.events import TrainEvents, TrainStart

_LOGGER = logging.getLogger("frcnn_cli")
_WINDOW = 50
"""Steps that the displayed losses are means of."""


class TrainingDisplay:
    """Losses and pace under a bar, on a terminal; a logged line now and then elsewhere.

    Example:
        with TrainingDisplay(terminal) as display:
            train_detector(..., display.events())
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._recent: deque[StepReport] = deque(maxlen=_WINDOW)
        self._steps = self._images_per_step = 0
        self._last_line = time.monotonic()
        self._live = Bars(terminal.console) if terminal.shows_progress else None
        self.progress = self._live.report if self._live else log_lines(_LOGGER, "images")
        """Shows work beside the training: searching regions, detecting for validation."""

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def events(self) -> TrainEvents:
        """Returns the callbacks of a run."""
        return TrainEvents(
            self.progress,
            self.checked,
            self.estimated,
            self.started,
            self.stepped,
            self.evaluated,
        )

    def checked(self, check: DataCheck) -> None:
        """Prints what is wrong with the annotations."""
        self._terminal.say(render_data_check(check))

    def estimated(self, estimate: RunEstimate) -> None:
        """Prints what the run will need."""
        self._terminal.say(render_estimate(estimate))

    def started(self, start: TrainStart) -> None:
        """Prints what is about to be trained."""
        self._steps, self._images_per_step = start.iterations, start.batch
        self._terminal.if_interrupted = (
            f"its steps are kept; frcnn train --resume --run {start.run.name} continues it"
        )
        self._terminal.say(
            facts(
                f"Training {start.run.name}",
                {
                    "data": start.dataset,
                    "trains on": (
                        count(start.images, "image"),
                        count(start.objects, "object"),
                        count(len(start.classes), "class"),
                    ),
                    "steps": f"{start.first_step:,} to {start.iterations:,}"
                    if start.first_step
                    else f"{start.iterations:,}",
                    "recipe": _recipe(start),
                    "schedule": f"{count(start.batch, 'image')} per step, "
                    f"learning rate {start.lr:g}",
                    "evaluates": f"on {count(start.evaluated, 'image')} of {start.eval_split}"
                    if start.evaluated
                    else f"nothing during training: no images of {start.eval_split} are held out",
                    "weights": f"{start.trainable / 1e6:.1f} million trained",
                    "device": start.device
                    if start.processes == 1
                    else f"{start.device}; {start.processes} processes",
                    "folder": str(start.run),
                },
            )
        )

    def stepped(self, report: StepReport) -> None:
        """Shows a step."""
        self._recent.append(report)
        if self._live is not None:
            self._live.text = self._line()
            self._live.report("Training", report.step, self._steps)
        elif time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            left = (self._steps - report.step) * sum(each.seconds for each in self._recent)
            time_left = timedelta(seconds=round(left / len(self._recent)))
            line = "step %d of %d, %s left: %s"
            _LOGGER.info(line, report.step, self._steps, time_left, self._line(plain=True))

    def evaluated(self, step: int, score: float) -> None:
        """Prints the mAP of a checkpoint on images that are not trained on."""
        self._terminal.say(f"  step {step:,}: mAP {score:.3f} on held-out images")

    def _line(self, *, plain: bool = False) -> str:
        steps, n = self._recent, len(self._recent)
        seconds = sum(step.seconds for step in steps)
        losses = (
            ("loss", f"{sum(step.loss for step in steps) / n:.3f}"),
            ("classes", f"{sum(step.classification for step in steps) / n:.3f}"),
            ("boxes", f"{sum(step.box for step in steps) / n:.3f}"),
            (
                "foreground",
                f"{sum(s.foreground for s in steps) / n:.0f}/{sum(s.rois for s in steps) / n:.0f}",
            ),
        )
        pace = (
            ("lr", f"{steps[-1].lr:.1e}"),
            ("images/s", f"{self._images_per_step * n / seconds:.1f}"),
            ("waiting", f"{sum(step.waiting for step in steps) / seconds:.0%}"),
        )
        if plain:
            return ", ".join(f"{name} {value}" for name, value in (*losses, *pace))
        return "\n  ".join(
            "  ".join(f"[dim]{name}[/] {value}" for name, value in values)
            for values in (losses, pace)
        )


def _recipe(start: TrainStart) -> list[str]:
    changed = (f"{name} {value}" for name, value in start.changes.items())
    first = next(changed, "")
    return [start.recipe, f"but {first}", *changed] if first else [start.recipe]
