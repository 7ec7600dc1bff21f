"""The training loop: for each batch losses, gradients, optimiser step, report."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from frcnn_cli.config import TrainConfig
from frcnn_cli.errors import FrcnnError
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.model.loss import Losses
from frcnn_cli.runtime.device import fetch_later
from frcnn_cli.training.distributed.context import (
    SINGLE_PROCESS,
    STEP_TIMEOUT,
    DistributedContext,
    RankLostError,
)
from frcnn_cli.training.engine.dropout import set_dropout
from frcnn_cli.training.engine.forward import Forward
from frcnn_cli.training.engine.hard_examples import HardExamples
from frcnn_cli.training.engine.optimizer import (
    AveragedWeights,
    build_optimizer,
    rate_factor,
    set_rate,
)
from frcnn_cli.training.engine.report import LaunchedStep, StepReport
from frcnn_cli.training.engine.stages import Stages
from frcnn_cli.training.engine.step import GRADIENT, NotFiniteError, StepInputs, TrainStep


class Trainer:
    """A model, its optimiser and its averaged weights.

    Attributes:
        step: number of steps taken; a GPU may still be at the last ones.
        whole: held by the training thread while the weights are not those of a whole step.

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
        self.whole = threading.RLock()
        self._queued: deque[torch.cuda.Event] = deque()
        """Ends of the last steps that a GPU may still be at."""
        self.context = context
        set_dropout(model, config.optimizer.dropout)
        self._stages = Stages(model, config)
        forward = Forward(model, autocast)
        self._train_step = TrainStep(forward, config, context)
        self._failed: Tensor | None = None
        """1 on a GPU from the first step on whose losses or gradient are not finite; else 0."""
        self._hardest = HardExamples(forward, config) if config.sampling.ohem_factor else None

    def run(
        self,
        batches: Iterable[Batch],
        stop: Callable[[], bool] = lambda: False,
        rests: Callable[[int], bool] = lambda _: True,
    ) -> Iterator[StepReport]:
        """Takes a step for each batch, until one of the ranks wants to `stop`.

        After the report of a step that `rests` the trainer may be read and saved. On a GPU any
        other step is reported when the next one has been launched, so that the GPU never waits.

        Args:
            batches: this rank's images of each step.
            stop: called before each step.
            rests: whether a step, from 1, is reported at once.

        Yields:
            What the step did, over all ranks.

        Raises:
            NotFiniteError: names the images and the term.
            RankLostError: another rank ended.
            FrcnnError: of `batches`, after the reports of all steps.
        """
        launched: list[LaunchedStep] = []
        failure: FrcnnError | None = None
        reported = time.perf_counter()
        for batch in _until_failure(batches):
            if isinstance(batch, FrcnnError):
                failure = batch
                break
            waiting = time.perf_counter() - reported
            chosen = self._chosen(batch)
            # One exchange for both: the losses are means over the RoIs of all ranks, and the ranks
            # have to stop before the same step, as a step waits for all of them.
            rois, stops = self.context.all_reduce_sum(len(chosen.labels), stop())
            if stops:
                break
            launched.append(self._launch(chosen, int(rois), waiting))
            while len(launched) > (self.device.type == "cuda" and not rests(self.step)):
                yield self._report(launched.pop(0), reported)
                reported = time.perf_counter()
        for step in launched:
            yield self._report(step, reported)
        if failure is not None:
            raise failure

    def measure(self, batch: Batch) -> float:
        """Returns the seconds of a forward and backward pass; no weight changes."""
        # The other ranks may arrive much later, and only this exchange waits that long.
        self.context.all_reduce_sum(0)
        began = time.perf_counter()
        chosen = self._chosen(batch)
        self._compute(chosen, len(chosen.labels))
        self._finish()
        self.model.zero_grad(set_to_none=True)
        return time.perf_counter() - began

    def measure_update(self) -> float:
        """Returns the seconds of an optimiser step, before the first one; no weight changes."""
        seconds = 0.0
        for _ in range(2):  # the first one allocates the moments
            for parameter in self.model.parameters():
                parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
            self._finish()
            began = time.perf_counter()
            self._clip_and_set_rate(self._gradient_norm(), 0.0)
            self.optimizer.step()
            self._update_average()
            self._finish()
            seconds = time.perf_counter() - began
        self.optimizer.state.clear()
        self.model.zero_grad(set_to_none=True)
        return seconds

    def _finish(self) -> None:
        """Waits for a GPU."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _chosen(self, batch: Batch) -> Batch:
        """Returns the batch on the device, with OHEM reduced to its hard examples."""
        batch = batch.to(self.device)
        return batch if self._hardest is None else self._hardest(batch)

    def _compute(self, batch: Batch, rois: int) -> Losses:
        """Leaves gradients in the parameters and returns the losses."""
        self.model.train()
        weight = self._stages.enter(self.step)
        return self._train_step(batch, StepInputs(self.step, max(rois, 1), weight))

    def _launch(self, batch: Batch, rois: int, waiting: float) -> LaunchedStep:
        """Takes a step; without waiting on a GPU, where it changes nothing after a failed one."""
        losses = self._compute(batch, rois)
        norm = self._gradient_norm()
        # All ranks report the sums; its own losses tell a rank whether it is the one that failed.
        sums = torch.stack((*losses, (batch.labels > 0).sum())).double()
        self.context.all_reduce(sums)
        numbers = torch.cat((torch.stack((*losses[1:], norm)), sums))
        factor = rate_factor(self.step, self.config.schedule)
        lr = self.config.optimizer.lr * factor
        limit = math.inf if self.context.world_size == 1 else STEP_TIMEOUT.total_seconds()
        step = LaunchedStep(self.step + 1, batch, rois, lr, waiting, fetch_later(numbers, limit))
        if self.device.type == "cuda":
            # Asking for the numbers would wait for the GPU. It skips the update itself where
            # `found_inf` is 1, in the steps launched after the failed one too, and by a sum that is
            # the same in every rank.
            failed = (norm + sums[0]).isfinite().logical_not().float()
            self._failed = failed if self._failed is None else torch.maximum(self._failed, failed)
            self.optimizer.found_inf = self._failed  # type: ignore[attr-defined]
        else:
            self._numbers_of(step)  # raises before a weight changes
        self._clip_and_set_rate(norm, factor)
        # A thread that saves the state after another rank was lost needs weights, moments, average
        # and step of the same step.
        with self.whole:
            self.optimizer.step()
            self._update_average()
            self.step += 1
            if self.device.type == "cuda":
                # The step is only queued: its event tells `steps_done` when the weights are there.
                self._queued.append(torch.cuda.Event())  # type: ignore[no-untyped-call]
                self._queued[-1].record(torch.cuda.current_stream(self.device))
                self.steps_done()
        return step

    def steps_done(self) -> int:
        """Returns the number of steps whose weights are there, without waiting for a GPU."""
        while self._queued and self._queued[0].query():  # type: ignore[no-untyped-call]
            self._queued.popleft()
        return self.step - len(self._queued)

    def _gradient_norm(self) -> Tensor:
        return get_total_norm(each.grad for each in self._trained() if each.grad is not None)

    def _trained(self) -> list[nn.Parameter]:
        """Returns the parameters with a gradient; Table 6's stages leave frozen ones without."""
        return [each for each in self.model.parameters() if each.grad is not None]

    def _clip_and_set_rate(self, norm: Tensor, factor: float) -> None:
        most = self.config.optimizer.max_grad_norm
        if most:
            clip_grads_with_norm_(self._trained(), most, norm)
        set_rate(self.optimizer, factor)

    def _update_average(self) -> None:
        if self.average is not None:
            self.average.update(self.model, self.step, self._failed)

    def _numbers_of(self, step: LaunchedStep) -> list[float]:
        """Returns total, classification and box loss and the foreground RoIs, over all ranks.

        Raises:
            NotFiniteError: this rank's losses or the gradient are not finite.
            RankLostError: the losses of another rank are not.
        """
        classification, box, norm, *sums = step.numbers()
        if math.isfinite(norm) and all(map(math.isfinite, sums)):
            return sums
        with self.whole:
            self.step = step.number - 1
            self._queued.clear()  # later steps change nothing
        terms = {"classification": classification, "box": box, GRADIENT: norm}
        term = next(name for name in terms if name == GRADIENT or not math.isfinite(terms[name]))
        if term == GRADIENT and not all(map(math.isfinite, sums)):
            self.context.all_reduce_sum(0)  # raises once that rank has saved its step and ended
            raise RankLostError("the loss of another process is not finite")
        slot = self._train_step.first_slot
        raise NotFiniteError(step.number, term, terms[term], step.batch, slot)

    def _report(self, step: LaunchedStep, since: float) -> StepReport:
        with self.context.in_step():
            total, classification, box, foreground = self._numbers_of(step)
        return StepReport(
            step.number,
            total,
            classification,
            box,
            foreground=int(foreground),
            rois=step.rois,
            lr=step.lr,
            seconds=time.perf_counter() - since,
            waiting=step.waiting,
        )


def _until_failure(batches: Iterable[Batch]) -> Iterator[Batch | FrcnnError]:
    """Yields the batches, and last the error that ended them."""
    try:
        yield from batches
    except FrcnnError as error:
        yield error
