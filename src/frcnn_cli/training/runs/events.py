"""Events and result of a training run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.errors import FrcnnError
from frcnn_cli.records import Calibration
from frcnn_cli.runtime.progress import Progress, silent
from frcnn_cli.training.engine.report import StepReport
from frcnn_cli.training.preflight.checks import DataCheck, RunEstimate


@dataclass(frozen=True)
class TrainStart:
    """Summary of a run before its first step, for display."""

    run: Path
    dataset: str
    images: int
    objects: int
    classes: tuple[str, ...]
    iterations: int
    first_step: int
    device: str
    trainable: int
    processes: int
    batch: int
    lr: float
    recipe: str
    """Name of the recipe that the settings are closest to."""
    changes: Mapping[str, object]
    """Settings that differ from it."""
    evaluated: int
    """Number of images that select the best checkpoint."""
    eval_split: str
    """Their split."""


@dataclass(frozen=True)
class TrainEvents:
    """Callbacks of a run, for tools that follow experiments; what one raises ends the run.

    Attributes:
        progress: `progress(step, done, total)` of work beside the training, such as the search.
        checked: with what is wrong with the annotations, before the first step.
        estimated: with the time and memory that the run will need.
        started: with the run's folder, data and settings.
        stepped: after each step, with its losses and learning rate.
        evaluated: with the step and the mAP of a checkpoint on held-out images.
    """

    progress: Progress = silent
    checked: Callable[[DataCheck], None] = lambda _: None
    estimated: Callable[[RunEstimate], None] = lambda _: None
    started: Callable[[TrainStart], None] = lambda _: None
    stepped: Callable[[StepReport], None] = lambda _: None
    evaluated: Callable[[int, float], None] = lambda *_: None


@dataclass(frozen=True)
class FinalScore:
    """The 11-point mAP of a run's best checkpoint on images that it was not trained on."""

    map: float
    split: str
    images: int
    calibration: Calibration | None
    """Of its scores on these images; None where they teach nothing."""


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        run: the run's folder.
        best: the checkpoint to use.
        steps: number of steps taken.
        iterations: number of steps configured; larger than `steps` after early stopping.
        best_map: mAP of `best` on the images that selected it; None without such images.
        score: mAP at the end; None without a split to score.
        next_split: split that `frcnn eval` scores by default; None: the data has none to score.
        example: an image that was trained on.
        command: repeats the run.
        seconds: wall time of this call.
        failures: why images were left out.
    """

    run: Path
    best: Path
    steps: int
    iterations: int
    best_map: float | None
    score: FinalScore | None
    next_split: str | None
    example: Path
    command: str
    seconds: float
    failures: tuple[FrcnnError, ...]
