"""Report of a training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from frcnn_cli.model.batch import Batch


@dataclass(frozen=True, slots=True)
class StepReport:
    """The result of one step, over all ranks.

    Attributes:
        step: number of the step, from 1.
        loss: total = classification + λ · box.
        classification: mean log loss.
        box: mean smooth L1.
        foreground: number of RoIs with a class 1..K.
        rois: number of RoIs.
        lr: learning rate of the new layers' weights.
        seconds: wall time of the step, including loading.
        waiting: seconds of it spent waiting for the images.
    """

    step: int
    loss: float
    classification: float
    box: float
    foreground: int
    rois: int
    lr: float
    seconds: float
    waiting: float


@dataclass(frozen=True)
class LaunchedStep:
    """A step that a GPU may still be at.

    Attributes:
        number: of the step, from 1.
        batch: this rank's images.
        rois: number of RoIs over all ranks.
        lr: learning rate of the new layers' weights.
        waiting: seconds spent waiting for the images.
        numbers: returns this rank's classification and box loss, the gradient's norm, and, summed
            over the ranks, total, classification and box loss and the number of foreground RoIs.
    """

    number: int
    batch: Batch
    rois: int
    lr: float
    waiting: float
    numbers: Callable[[], list[float]]
