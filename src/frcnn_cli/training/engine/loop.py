"""The training loop: step the optimiser, call back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from frcnn_cli.config import TrainConfig
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from frcnn_cli.training.engine.forward import Forward
from frcnn_cli.training.engine.hard_examples import HardExamples
from frcnn_cli.training.engine.optimizer import (
    AveragedWeights,
    build_optimizer,
    rate_factor,
    set_rate,
)
from frcnn_cli.training.engine.stages import Stages
from frcnn_cli.training.engine.step import GRADIENT, NotFiniteError, StepInputs, TrainStep


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did, over all processes.

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
        context: this process's place among those that train together.
    """

    def __init__(
        self,
        model: FastRCNN,
        config: TrainConfig,
        device: torch.device,
        autocast: torch.dtype | None = None,
        context: DistributedContext = SINGLE_PROCESS,
    ) -> None:
        self.model = model
        self.config = config
        self.device = device
        self.optimizer = build_optimizer(model, config)
        self.average = AveragedWeights(model, config.ema) if config.ema else None
        self.step = 0
        self._context = context
        model.set_dropout(config.dropout)
        self._stages = Stages(model, config)
        forward = Forward(model, autocast)
        self._train_step = TrainStep(forward, config, context)
        self._hardest = HardExamples(forward, config) if config.ohem else None

    def run(
        self,
        batches: Iterable[Batch],
        on_step: Callable[[StepReport], None],
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Takes a step for each batch, until one of the processes wants to `stop`.

        Args:
            batches: this process's photographs of each step.
            on_step: may read and save the trainer between steps.
            stop: asked before each step.

        Raises:
            NotFiniteError: names the photographs and the term.
            RankLostError: another process ended.
        """
        arrived = time.perf_counter()
        for batch in batches:
            loaded = time.perf_counter()
            chosen = self._chosen(batch)
            rois, stops = self._context.all_reduce_sum(len(chosen.labels), stop())
            if stops:
                return
            lr = self.config.lr * rate_factor(self.step, self.config)
            terms = self._compute(chosen, int(rois))
            foreground = int((chosen.labels > 0).sum())
            total, classification, box, foreground_sum = self._context.all_reduce_sum(
                *terms, foreground
            )
            self._optimizer_step(chosen)
            now = time.perf_counter()
            on_step(
                StepReport(
                    self.step,
                    total,
                    classification,
                    box,
                    foreground=int(foreground_sum),
                    rois=int(rois),
                    lr=lr,
                    seconds=now - arrived,
                    waiting=loaded - arrived,
                )
            )
            arrived = time.perf_counter()

    def measure(self, batch: Batch) -> float:
        """Returns the seconds that a step's passes take; nothing is learnt."""
        self._context.all_reduce_sum(
            0
        )  # the others may come to this much later, and may wait only here
        began = time.perf_counter()
        chosen = self._chosen(batch)
        self._compute(chosen, len(chosen.labels), must_be_finite=False)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.model.zero_grad(set_to_none=True)
        return time.perf_counter() - began

    def _chosen(self, batch: Batch) -> Batch:
        """Returns what the step learns from, on the device."""
        batch = batch.to(self.device)
        return batch if self._hardest is None else self._hardest(batch)

    def _compute(self, batch: Batch, rois: int, *, must_be_finite: bool = True) -> list[float]:
        self.model.train()
        weight = self._stages.enter(self.step)
        inputs = StepInputs(self.step, max(rois, 1), weight, must_be_finite)
        return [loss.item() for loss in self._train_step(batch, inputs)]

    def _optimizer_step(self, batch: Batch) -> None:
        """Moves the weights along the gradients that are there; a gradient has to be finite."""
        config, model = self.config, self.model
        set_rate(self.optimizer, rate_factor(self.step, config))
        parameters = [each for each in model.parameters() if each.grad is not None]
        norm = get_total_norm(each.grad for each in parameters if each.grad is not None)
        if not norm.isfinite():
            slot = self._train_step.first_slot
            raise NotFiniteError(self.step + 1, GRADIENT, norm.item(), batch, slot)
        if config.clip_norm:
            clip_grads_with_norm_(parameters, config.clip_norm, norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(model, self.step)
        self.step += 1
