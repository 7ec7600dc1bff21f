"""Parameters that a step trains (Fast R-CNN §5.1, Table 6)."""

from __future__ import annotations

import torch

from frcnn_cli.config import TrainConfig
from frcnn_cli.model.fast_rcnn import FastRCNN


class Stages:
    """Freezes what a step does not train; a parameter without a gradient keeps its value.

    Args:
        model: its frozen parameters stay frozen.
        config: the training settings.
    """

    def __init__(self, model: FastRCNN, config: TrainConfig) -> None:
        self._config = config
        self._box = list(model.box_delta.parameters())
        boxes = {id(parameter) for parameter in self._box}
        self._others = [
            parameter
            for parameter in model.parameters()
            if parameter.requires_grad and id(parameter) not in boxes
        ]

    def enter(self, step: int) -> float:
        """Freezes for `step` (from 0), and returns its λ."""
        config = self._config
        if not config.schedule.stage_wise:
            return config.loss.box_loss_weight
        second = step >= -(-config.schedule.iterations // 2)
        for parameter in self._box:
            parameter.requires_grad_(second)
        for parameter in self._others:
            parameter.requires_grad_(not second)
        return config.loss.box_loss_weight if second else 0.0


@torch.no_grad()
def disable_box_regression(model: FastRCNN) -> None:
    """Freezes the box layer at 0, so that detections are the proposals themselves."""
    for parameter in model.box_delta.parameters():
        parameter.zero_()
        parameter.requires_grad_(False)
