"""The training loop: for each batch losses, gradients, optimiser step, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from frcnn_cli.config import TrainConfig
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext
from frcnn_cli.training.engine.dropout import set_dropout
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


class Trainer:
    """A model, its optimiser and its averaged weights.

    Args:
        model: on `device`; its frozen parameters stay frozen.
        config: the recipe.
        device: where the model is.
        autocast: lower precision for the forward pass, or None for float32.
        context: rank and world size of this process.
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
        self.optimizer = build_optimizer(model, config.optimizer)
        ema = config.optimizer.ema
        self.average = AveragedWeights(model, ema) if ema else None
        self.step = 0
        self._context = context
        set_dropout(model, config.optimizer.dropout)
        self._stages = Stages(model, config)
        forward = Forward(model, autocast)
        self._train_step = TrainStep(forward, config, context)
        self._hardest = HardExamples(forward, config) if config.sampling.ohem_factor else None

    def run(
        self, batches: Iterable[Batch], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[StepReport]:
        """Takes a step for each batch, until one of the ranks wants to `stop`.

        Between two reports the trainer is at rest: it may be read and saved.

        Args:
            batches: this rank's images of each step.
            stop: called before each step.

        Yields:
            What the step did, over all ranks.

        Raises:
            NotFiniteError: names the images and the term.
            RankLostError: another rank ended.
        """
        arrived = time.perf_counter()
        for batch in batches:
            loaded = time.perf_counter()
            chosen = self._chosen(batch)
            # One exchange for both: the losses are means over the RoIs of all ranks, and the ranks
            # have to stop before the same step, as a step waits for all of them.
            rois, stops = self._context.all_reduce_sum(len(chosen.labels), stop())
            if stops:
                return
            lr = self.config.optimizer.lr * rate_factor(self.step, self.config.schedule)
            terms = self._compute(chosen, int(rois))
            foreground = int((chosen.labels > 0).sum())
            total, classification, box, foreground_sum = self._context.all_reduce_sum(
                *terms, foreground
            )
            self._optimizer_step(chosen)
            now = time.perf_counter()
            yield StepReport(
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
            arrived = time.perf_counter()

    def measure(self, batch: Batch) -> float:
        """Returns the seconds of a forward and backward pass; no weight changes."""
        # The other ranks may arrive much later, and only this exchange waits that long.
        self._context.all_reduce_sum(0)
        began = time.perf_counter()
        chosen = self._chosen(batch)
        self._compute(chosen, len(chosen.labels), must_be_finite=False)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.model.zero_grad(set_to_none=True)
        return time.perf_counter() - began

    def _chosen(self, batch: Batch) -> Batch:
        """Returns the batch on the device, with OHEM reduced to its hard examples."""
        batch = batch.to(self.device)
        return batch if self._hardest is None else self._hardest(batch)

    def _compute(self, batch: Batch, rois: int, *, must_be_finite: bool = True) -> list[float]:
        """Leaves gradients in the parameters and returns the losses."""
        self.model.train()
        weight = self._stages.enter(self.step)
        inputs = StepInputs(self.step, max(rois, 1), weight, must_be_finite)
        # The losses are on the host already: the step looked at them before its backward pass.
        return [loss.item() for loss in self._train_step(batch, inputs)]

    def _optimizer_step(self, batch: Batch) -> None:
        """Updates the weights; raises before that if the gradient is not finite."""
        config, model = self.config, self.model
        set_rate(self.optimizer, rate_factor(self.step, config.schedule))
        # Table 6's stages leave frozen parameters without a gradient, and without a change.
        parameters = [each for each in model.parameters() if each.grad is not None]
        norm = get_total_norm(each.grad for each in parameters if each.grad is not None)
        # Checked here and not after the step: the weights that are saved are those that failed.
        if not norm.isfinite():
            slot = self._train_step.first_slot
            raise NotFiniteError(self.step + 1, GRADIENT, norm.item(), batch, slot)
        if config.optimizer.max_grad_norm:
            clip_grads_with_norm_(parameters, config.optimizer.max_grad_norm, norm)
        self.optimizer.step()
        if self.average is not None:
            self.average.update(model, self.step)
        self.step += 1
