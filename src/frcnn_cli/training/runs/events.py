"""What a training run tells, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.errors import FrcnnError
from frcnn_cli.runtime.progress import Progress, silent
from frcnn_cli.training.engine.loop import StepReport
from frcnn_cli.training.preflight.checks import DataCheck, RunEstimate


@dataclass(frozen=True)
class TrainStart:
    """What a run is about to do, for people."""

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
    """Name of the recipe that is followed, or nearly."""
    changes: Mapping[str, object]
    """Its fields that were changed."""
    evaluated: int
    """Images that choose the best checkpoint."""
    eval_split: str
    """Where they would be from."""


@dataclass(frozen=True)
class TrainEvents:
    """Who is told what while a run goes on."""

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


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        run: its folder.
        best: the checkpoint to use.
        steps: steps taken in all.
        iterations: steps of the recipe; more, where the run lost its patience.
        best_map: mAP of `best` on the images that it was chosen by, if there were any.
        score: mAP at the end, on which split and how many images; None without such a split.
        command: repeats the run.
        seconds: wall time of this call.
        failures: images that were left out.
    """

    run: Path
    best: Path
    steps: int
    iterations: int
    best_map: float | None
    score: FinalScore | None
    command: str
    seconds: float
    failures: tuple[FrcnnError, ...]
