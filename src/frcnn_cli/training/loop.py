"""The training loop: step the optimiser, call back."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from frcnn_cli.config import TrainConfig
from frcnn_cli.errors import TrainingError
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.model.loss import Losses, multi_task_loss
from frcnn_cli.training.optimizer import (
    AveragedWeights,
    build_optimizer,
    rate_factor,
    set_rate,
)
from frcnn_cli.training.sampler import seed_for


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did.

    Attributes:
        step: steps done, from 1.
        loss: total = classification + λ · box.
        classification: mean log loss.
        box: mean smooth L1.
        foreground: RoIs of the step that overlap an object.
        rois: RoIs of the step.
        lr: rate of the new layers' weights.
        seconds: wall time of the step, loading included.
        waiting: seconds of it spent waiting for the photographs.
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


class Trainer:
    """A model, its optimiser and its averaged weights, stepped by `run`.

    Args:
        model: on `device`; what is frozen stays so.
        config: the recipe.
        device: where the model is.
        autocast: lower precision for the forward pass, or None for float32.
    """

    def __init__(
        self,
        model: FastRCNN,
        config: TrainConfig,
        device: torch.device,
        autocast: torch.dtype | None = None,
    ) -> None:
        self.model = model
        self.config = config
        self.device = device
        self.optimizer = build_optimizer(model, config)
        self.average = AveragedWeights(model, config.ema) if config.ema else None
        self.step = 0
        self._autocast = autocast

    def run(self, batches: Iterable[Batch], on_step: Callable[[StepReport], None]) -> None:
        """Takes a step for each batch; `on_step` may read and save the trainer between steps.

        Raises:
            TrainingError: a loss is not finite; names the photographs and the term.
        """
        self.model.set_dropout(self.config.dropout)
        arrived = time.perf_counter()
        with torch.random.fork_rng(devices=self._gpus()):
            for batch in batches:
                loaded = time.perf_counter()
                lr = self.config.lr * rate_factor(self.step, self.config)
                losses = self._step(batch.to(self.device))
                total, classification, box = (loss.item() for loss in losses)
                self.step += 1
                now = time.perf_counter()
                on_step(
                    StepReport(
                        self.step,
                        total,
                        classification,
                        box,
                        foreground=int((batch.labels > 0).sum()),
                        rois=len(batch.labels),
                        lr=lr,
                        seconds=now - arrived,
                        waiting=loaded - arrived,
                    )
                )
                arrived = time.perf_counter()

    def _step(self, batch: Batch) -> Losses:
        config, model = self.config, self.model
        # Dropout draws from the global state, which is set by the step alone: see `sampler`.
        torch.manual_seed(seed_for(config.seed, self.step, 1))
        set_rate(self.optimizer, rate_factor(self.step, config))
        model.train()
        with torch.autocast(
            self.device.type, dtype=self._autocast, enabled=self._autocast is not None
        ):
            output = model(batch.images, batch.rois)
        targets = (batch.deltas - model.delta_mean) / model.delta_std
        losses = multi_task_loss(output, batch.labels, targets, config.box_loss_weight)
        _require_finite(losses, self.step + 1, batch.image_ids)
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        if config.clip_norm:
            torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(model, self.step)
        return losses

    def _gpus(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []


def _require_finite(losses: Losses, step: int, image_ids: tuple[str, ...]) -> None:
    for term in ("classification", "box"):
        value = getattr(losses, term).item()
        if not math.isfinite(value):
            raise TrainingError(
                f"the {term} loss is {value} at step {step}, photographs {', '.join(image_ids)}",
                remedy="lower --lr, or look at the boxes of these photographs",
            )
