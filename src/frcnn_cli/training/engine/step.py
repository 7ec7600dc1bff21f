"""Forward and backward pass of a step: whole, or in pieces where GPU memory is short."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from frcnn_cli.config import TrainConfig
from frcnn_cli.errors import TrainingError
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.delta_normalization import normalize_deltas
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.loss import Losses, multi_task_loss
from frcnn_cli.training.distributed.context import DistributedContext
from frcnn_cli.training.engine.dropout import RegionDropout
from frcnn_cli.training.engine.forward import Forward

_LOGGER = logging.getLogger(__name__)
_MOST_PIECES = 64
LOSSES = ("classification", "box")
GRADIENT = "gradient"


def name_of(term: str) -> str:
    """Returns the name of a term in messages."""
    return "gradient's norm" if term == GRADIENT else f"{term} loss"


class NotFiniteError(TrainingError):
    """A loss or gradient is NaN or infinite; the weights are still those from before the step.

    Attributes:
        step: from 1.
        term: "classification", "box" or "gradient".
        value: the loss, or the gradient's norm.
        batch: this rank's images of the step.
        first_slot: index in the step of the batch's first image.
    """

    def __init__(
        self, step: int, term: str, value: float, batch: Batch, first_slot: int = 0
    ) -> None:
        super().__init__(
            f"the {name_of(term)} is {value} at step {step}, images {', '.join(batch.image_ids)}",
            remedy="lower --lr, or look at the boxes of these images",
        )
        self.step, self.term, self.value = step, term, value
        self.batch, self.first_slot = batch, first_slot

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.step, self.term, self.value, self.batch, self.first_slot))


@dataclass(frozen=True)
class StepInputs:
    """Inputs of a step beside its batch.

    Attributes:
        step: number of the step, from 0.
        rois: number of RoIs over all ranks; the losses are means over them.
        box_weight: λ.
    """

    step: int
    rois: int
    box_weight: float


class TrainStep:
    """Computes losses and gradients of a batch with a model.

    If the GPU has no room for the whole batch, this and all later steps compute the images one by
    one and their RoIs in pieces, and sum the gradients.

    Attributes:
        model: on its device.
        first_slot: index in the step of a batch's first image.

    Args:
        forward: the forward pass of the model.
        config: the training settings.
        context: rank and world size of this process.
        first_slot: index in the step of a batch's first image; None derives it from the rank.
    """

    def __init__(
        self,
        forward: Forward,
        config: TrainConfig,
        context: DistributedContext,
        first_slot: int | None = None,
    ) -> None:
        self.model = forward.model
        self._forward = forward
        self._config = config
        self._context = context
        self._network: nn.Module = context.wrap(forward.network)
        self._dropout = RegionDropout(self.model, config.seed)
        share = context.shard(range(config.schedule.images_per_batch))
        self.first_slot = (share[0] if share else 0) if first_slot is None else first_slot
        self._pieces = 0
        """Number of pieces of an image's RoIs; 0 computes the whole batch at once."""

    def __call__(self, batch: Batch, inputs: StepInputs) -> Losses:
        """Returns the losses of this rank's images; the gradients are left in the parameters.

        Raises:
            RankLostError: another rank ended.
            TrainingError: there is no memory for the smallest pieces.
        """
        images = [(self.first_slot + i, len(rois)) for i, rois in enumerate(batch.rois)]
        with self._dropout.step(inputs.step, images):
            while True:
                self.model.zero_grad(set_to_none=True)
                try:
                    compute = self._in_pieces if self._pieces else self._whole
                    return compute(batch, inputs)
                except torch.OutOfMemoryError as error:
                    self._shrink(error)
                # Not in the except clause, where the traceback keeps the tensors alive.
                torch.cuda.empty_cache()

    def _shrink(self, error: torch.OutOfMemoryError) -> None:
        if self._context.world_size > 1 or self._pieces >= _MOST_PIECES:
            raise TrainingError(
                "the GPU has no memory for a step",
                remedy="lower short_sides or rois_per_image in [train], or --batch"
                if self._context.world_size == 1
                else "lower --batch, or short_sides in [train]",
            ) from error
        self._pieces = 2 * self._pieces or 1
        _LOGGER.warning(
            "the GPU has no memory for a step; from now on images are computed one by one"
            + (f", their RoIs in {self._pieces} pieces" if self._pieces > 1 else "")
        )

    def _whole(self, batch: Batch, inputs: StepInputs) -> Losses:
        with self._forward.casting():
            output = self._network(batch.images, batch.rois)
        losses = self._losses(output, batch, inputs, slice(None))
        # DDP averages gradients, but the loss is a sum over the ranks: each divides by all RoIs.
        with self._context.in_step():
            (losses.total * self._context.world_size).backward()  # type: ignore[no-untyped-call]
        return Losses(*(term.detach() for term in losses))

    def _in_pieces(self, batch: Batch, inputs: StepInputs) -> Losses:
        pieces = []
        done = 0
        for image, rois in zip(batch.images, batch.rois, strict=True):
            features = self._forward.features(image)
            # Cut off from the trunk: each piece frees its own graph, and the trunk's backward pass
            # runs once, from the summed gradient of the map.
            part = features.detach().requires_grad_(features.requires_grad)
            for boxes in _parts(rois, self._pieces):
                rows = slice(done, done + len(boxes))
                done += len(boxes)
                with self._dropout.rows(rows):
                    output = self._forward.regions(part, boxes)
                losses = self._losses(output, batch, inputs, rows)
                losses.total.backward()  # type: ignore[no-untyped-call]
                pieces.append(Losses(*(term.detach() for term in losses)))
            if features.requires_grad and part.grad is not None:
                features.backward(part.grad)  # type: ignore[no-untyped-call]
        return Losses(*(torch.stack(terms).sum() for terms in zip(*pieces, strict=True)))

    def _losses(
        self, output: RegionOutput, batch: Batch, inputs: StepInputs, rows: slice
    ) -> Losses:
        labels = batch.labels[rows]
        model = self.model
        targets = normalize_deltas(batch.deltas[rows], labels, model.delta_mean, model.delta_std)
        return multi_task_loss(
            output,
            labels,
            targets,
            inputs.box_weight,
            count=inputs.rois,
            label_smoothing=self._config.loss.label_smoothing,
        )


def _parts(rois: Tensor, pieces: int) -> Iterator[Tensor]:
    yield from (part for part in rois.tensor_split(pieces) if len(part))
