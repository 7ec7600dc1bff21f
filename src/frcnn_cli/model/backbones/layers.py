"""The parts that the older networks share, and the names of their weights."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from torch import Tensor, nn

from frcnn_cli.model.backbones.base import BackboneSpec, StateDict


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


def fc_head(spec: BackboneSpec, fc6: int = 0) -> nn.Sequential:
    """Returns fc6 and fc7 with ReLU and dropout (§4.1).

    Args:
        spec: C, P, and D, the outputs of fc7.
        fc6: outputs of the first layer; 0: D as well.
    """
    fc6, fc7 = fc6 or spec.head_features, spec.head_features
    return nn.Sequential(
        OrderedDict(
            flatten=nn.Flatten(),
            fc6=nn.Linear(spec.channels * spec.pool_size**2, fc6),
            relu6=nn.ReLU(inplace=True),
            drop6=nn.Dropout(),
            fc7=nn.Linear(fc6, fc7),
            relu7=nn.ReLU(inplace=True),
            drop7=nn.Dropout(),
        )
    )
