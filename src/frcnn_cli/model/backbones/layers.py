"""The parts that the older networks share, and the names of their weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn

from frcnn_cli.model.backbones.base import StateDict


def conv_relu(cin: int, cout: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Sequential:
    """Returns a convolution and its ReLU.

    Args:
        cin: input channels.
        cout: output channels.
        kernel: cells per side.
        stride: of the kernel.
        padding: zeros on each side.
    """
    return nn.Sequential(nn.Conv2d(cin, cout, kernel, stride, padding), nn.ReLU(inplace=True))


def renamed(source: StateDict, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Returns the weights and biases of layers under new names, which are given by the old ones."""
    return {
        f"{ours}.{kind}": source[f"{theirs}.{kind}"]
        for theirs, ours in names.items()
        for kind in ("weight", "bias")
    }


def fc_head(features: int, fc6: int, fc7: int) -> nn.Sequential:
    """Returns fc6 and fc7 with ReLU and dropout (§4.1).

    Args:
        features: C · P · P numbers per RoI.
        fc6: outputs of the first layer.
        fc7: D, outputs of the second.
    """
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc6=nn.Linear(features, fc6),
            relu6=nn.ReLU(inplace=True),
            drop6=nn.Dropout(),
            fc7=nn.Linear(fc6, fc7),
            relu7=nn.ReLU(inplace=True),
            drop7=nn.Dropout(),
        )
    )
