"""Box targets normalised per class, as the Caffe release does."""

from __future__ import annotations

import copy

import torch

from frcnn_cli.model.fast_rcnn import FastRCNN


def use_per_class_delta_stats(model: FastRCNN) -> None:
    """Expands a model's delta mean and deviation, (4,) for all classes, to (K + 1, 4)."""
    classes = model.num_classes + 1
    model.delta_mean = model.delta_mean.expand(classes, 4).clone()
    model.delta_std = model.delta_std.expand(classes, 4).clone()


@torch.no_grad()
def fold_delta_normalization(model: FastRCNN) -> FastRCNN:
    """Returns a copy with the delta normalization folded into the box layer.

    A model with one mean and deviation for all classes is returned as it is.
    """
    if model.delta_mean.ndim == 1:
        return model
    copied = copy.deepcopy(model)
    mean, deviation = model.delta_mean.flatten(), model.delta_std.flatten()
    copied.box_delta.weight.mul_(deviation[:, None])
    copied.box_delta.bias.mul_(deviation).add_(mean)
    copied.delta_mean = torch.zeros_like(model.delta_mean[0])
    copied.delta_std = torch.ones_like(model.delta_std[0])
    return copied
