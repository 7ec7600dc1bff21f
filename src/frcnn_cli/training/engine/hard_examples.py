"""Online hard example mining: the sampled RoIs with the highest loss are trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from frcnn_cli.config import TrainConfig
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.delta_normalization import normalize_deltas
from frcnn_cli.model.fast_rcnn import RegionOutput
from frcnn_cli.model.loss import region_losses
from frcnn_cli.model.suppression import suppress
from frcnn_cli.records import FloatArray, IntArray
from frcnn_cli.runtime.device import to_device
from frcnn_cli.training.engine.forward import Forward

_SAME = 0.7
"""IoU above which two RoIs are one example (Shrivastava et al. 2016, §4.3)."""


class HardExamples:
    """Selects RoIs by their loss before the step (Shrivastava et al. 2016).

    Uses no random numbers and no dropout, and leaves the model as it was.

    Args:
        forward: the forward pass of the model.
        config: the training settings.
    """

    def __init__(self, forward: Forward, config: TrainConfig) -> None:
        self._model = forward.model
        self._forward = forward
        self._config = config

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Batch:
        """Returns the batch with at most `rois_per_image` RoIs of each image, hardest first.

        Of RoIs that overlap by more than 0.7 the hardest stays.
        """
        training = self._model.training
        self._model.eval()
        try:
            scores = self._losses(batch)
        finally:
            self._model.train(training)
        rois = torch.cat(batch.rois)
        table = torch.cat((rois, scores[:, None]), dim=1).cpu().numpy()  # a GPU is waited for once
        ends = np.cumsum([len(each) for each in batch.rois]).tolist()
        kept = [
            first + self._hardest(table[first:end])
            for first, end in zip([0, *ends[:-1]], ends, strict=True)
        ]
        rows = to_device(torch.from_numpy(np.concatenate(kept)), rois.device)
        return batch._replace(
            rois=torch.split(rois[rows], [len(each) for each in kept]),
            labels=batch.labels[rows],
            deltas=batch.deltas[rows],
        )

    def _losses(self, batch: Batch) -> Tensor:
        """Returns the loss (R,) of each RoI."""
        model, config = self._model, self._config
        outputs = [
            output
            for image, rois in zip(batch.images, batch.rois, strict=True)
            for output in self._outputs(image, rois)
        ]
        output = RegionOutput(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))
        targets = normalize_deltas(batch.deltas, batch.labels, model.delta_mean, model.delta_std)
        smoothing = config.loss.label_smoothing
        classification, box = region_losses(output, batch.labels, targets, smoothing)
        losses = classification + config.loss.box_loss_weight * box
        return losses.nan_to_num(nan=torch.inf)  # selected, so that the step reports it

    def _outputs(self, image: Tensor, rois: Tensor) -> list[RegionOutput]:
        """Returns the network's output for an image's RoIs, no more at once than train."""
        features = self._forward.features(image)
        return [
            self._forward.regions(features, part)
            for part in torch.split(rois, self._config.sampling.rois_per_image)
        ]

    def _hardest(self, table: FloatArray) -> IntArray:
        """Returns the rows that train of an image's RoIs (R, 5), each with its loss."""
        return suppress(
            table[:, :4],
            table[:, 4],
            np.zeros(len(table), np.int64),
            _SAME,
            self._config.sampling.rois_per_image,
        )
