"""VGG_CNN_M_1024 (Chatfield et al. 2014): model M of the paper.

Its ImageNet weights were published for Caffe only, so they come from a file of the user's, with
the layers' Caffe names (conv1.weight, …, fc7.bias) or this project's.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from frcnn_cli.model.backbones.base import Backbone, BackboneSpec, StateDict
from frcnn_cli.model.backbones.layers import conv_relu, fc_head, renamed
from frcnn_cli.model.batch import CAFFE_BGR

_CHANNELS = 512


def build() -> Backbone:
    """Returns the network with random weights; RoI pooling takes the place of its last pooling."""
    trunk = nn.Sequential(
        OrderedDict(
            conv1=conv_relu(3, 96, 7, stride=2, padding=3),
            norm1=_norm(),
            pool1=nn.MaxPool2d(3, 2, padding=1),
            conv2=conv_relu(96, 256, 5, stride=2, padding=2),
            norm2=_norm(),
            pool2=nn.MaxPool2d(3, 2, padding=1),
            conv3=conv_relu(256, _CHANNELS, 3, padding=1),
            conv4=conv_relu(_CHANNELS, _CHANNELS, 3, padding=1),
            conv5=conv_relu(_CHANNELS, _CHANNELS, 3, padding=1),
        )
    )
    spec = BackboneSpec(
        channels=_CHANNELS,
        offset=-7.5,
        pool_size=6,
        head_features=1024,
        finetune_from="conv2",
        preprocessing=CAFFE_BGR,
        convert=convert,
    )
    return Backbone(spec, trunk, fc_head(spec, fc6=4096))


def _norm() -> nn.LocalResponseNorm:
    return nn.LocalResponseNorm(5, alpha=0.0005, beta=0.75, k=2.0)


def convert(source: StateDict) -> dict[str, Tensor]:
    """Maps Caffe's layer names to this project's."""
    names = {f"conv{i}": f"trunk.conv{i}.0" for i in range(1, 6)}
    names |= {"fc6": "head.fc6", "fc7": "head.fc7"}
    return renamed(source, names)
