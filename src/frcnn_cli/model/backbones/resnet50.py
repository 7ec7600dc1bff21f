"""ResNet-50 (He et al. 2015) in its C4 form: conv1 to conv4 over the image, conv5 the head.

Batch norms are folded into their convolutions. The stride of a stage sits in its 3×3 convolution,
as in torchvision's weights.
"""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from frcnn_cli.model.backbones.base import Backbone, BackboneSpec, StateDict
from frcnn_cli.model.backbones.conv_unit import ConvUnit, fold_batch_norms
from frcnn_cli.model.batch import IMAGENET_RGB

_BLOCKS = {"conv2": 3, "conv3": 4, "conv4": 6, "conv5": 3}
_EXPANSION = 4
_EPS = 1e-5


class _Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 with a shortcut."""

    def __init__(self, cin: int, width: int, stride: int) -> None:
        super().__init__()
        cout = width * _EXPANSION
        self.conv1 = ConvUnit(cin, width, 1, activation="relu")
        self.conv2 = ConvUnit(width, width, 3, stride, edges=(1, 1), activation="relu")
        self.conv3 = ConvUnit(width, cout, 1)
        self.shortcut = ConvUnit(cin, cout, 1, stride) if stride > 1 or cin != cout else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv3(self.conv2(self.conv1(x)))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)), inplace=True)


def build() -> Backbone:
    """Returns the network with random weights."""
    stages: OrderedDict[str, nn.Module] = OrderedDict(
        conv1=nn.Sequential(nn.Conv2d(3, 64, 7, 2, padding=3), nn.ReLU(inplace=True)),
        pool1=nn.MaxPool2d(3, 2, padding=1),
    )
    cin, width = 64, 64
    for name, blocks in _BLOCKS.items():
        layers = []
        for block in range(blocks):
            stride = 2 if block == 0 and name != "conv2" else 1
            layers.append(_Bottleneck(cin, width, stride))
            cin = width * _EXPANSION
        stages[name] = nn.Sequential(*layers)
        width *= 2
    conv5 = stages.pop("conv5")
    head = nn.Sequential(
        OrderedDict(conv5=conv5, average=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten())
    )
    spec = BackboneSpec(
        channels=cin // 2,
        offset=-7.5,
        pool_size=14,
        head_features=cin,
        finetune_from="conv3",
        preprocessing=IMAGENET_RGB,
        convert=convert,
    )
    return Backbone(spec, nn.Sequential(stages), head)


def convert(source: StateDict) -> dict[str, Tensor]:
    """Maps torchvision's weights to this project's names, each batch norm folded in."""
    layers = {"trunk.conv1.0": ("conv1", "bn1")}
    for stage, (name, blocks) in enumerate(_BLOCKS.items(), start=1):
        part = "head" if name == "conv5" else "trunk"
        for block in range(blocks):
            theirs, ours = f"layer{stage}.{block}", f"{part}.{name}.{block}"
            for i in (1, 2, 3):
                layers[f"{ours}.conv{i}"] = (f"{theirs}.conv{i}", f"{theirs}.bn{i}")
            if block == 0:
                layers[f"{ours}.shortcut"] = (f"{theirs}.downsample.0", f"{theirs}.downsample.1")
    return fold_batch_norms(source, layers, _EPS)
