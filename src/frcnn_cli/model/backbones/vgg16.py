"""VGG16 (Simonyan & Zisserman 2014): model L of the paper."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from frcnn_cli.model.backbones.base import Backbone, BackboneSpec, StateDict
from frcnn_cli.model.backbones.layers import conv_relu, fc_head, renamed
from frcnn_cli.model.batch import IMAGENET_RGB

_STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
_HIDDEN = 4096


def build() -> Backbone:
    """Returns the network with random weights.

    The last max pooling gives way to RoI pooling (§2.2), so the map has stride 16.
    """
    trunk: OrderedDict[str, nn.Module] = OrderedDict()
    cin = 3
    for stage, widths in enumerate(_STAGES, start=1):
        for layer, cout in enumerate(widths, start=1):
            trunk[f"conv{stage}_{layer}"] = conv_relu(cin, cout, 3, padding=1)
            cin = cout
        if stage < len(_STAGES):
            trunk[f"pool{stage}"] = nn.MaxPool2d(2)
    spec = BackboneSpec(
        channels=cin,
        pool_size=7,
        head_features=_HIDDEN,
        finetune_from="conv3_1",
        preprocessing=IMAGENET_RGB,
        convert=convert,
    )
    return Backbone(spec, nn.Sequential(trunk), fc_head(spec))


def convert(source: StateDict) -> dict[str, Tensor]:
    """Maps torchvision's weights, fc6 and fc7 included, to this project's names."""
    names = {"classifier.0": "head.fc6", "classifier.3": "head.fc7"}
    index = 0
    for stage, widths in enumerate(_STAGES, start=1):
        for layer in range(1, len(widths) + 1):
            names[f"features.{index}"] = f"trunk.conv{stage}_{layer}.0"
            index += 2  # a convolution and its ReLU
        index += 1  # the pooling
    return renamed(source, names)
