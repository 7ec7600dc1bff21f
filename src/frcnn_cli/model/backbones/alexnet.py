"""AlexNet (Krizhevsky et al. 2012, torchvision's one-tower form): model S of the paper."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn

from frcnn_cli.model.backbones.base import Backbone, BackboneSpec, StateDict
from frcnn_cli.model.backbones.layers import conv_relu, fc_head, renamed
from frcnn_cli.model.batch import IMAGENET_RGB

_CHANNELS = 256
_NAMES = {
    "features.0": "trunk.conv1.0",
    "features.3": "trunk.conv2.0",
    "features.6": "trunk.conv3.0",
    "features.8": "trunk.conv4.0",
    "features.10": "trunk.conv5.0",
    "classifier.1": "head.fc6",
    "classifier.4": "head.fc7",
}


def build() -> Backbone:
    """Returns the network with random weights; RoI pooling takes the place of its last pooling."""
    trunk = nn.Sequential(
        OrderedDict(
            conv1=conv_relu(3, 64, 11, stride=4, padding=2),
            pool1=nn.MaxPool2d(3, 2, padding=1),
            conv2=conv_relu(64, 192, 5, padding=2),
            pool2=nn.MaxPool2d(3, 2, padding=1),
            conv3=conv_relu(192, 384, 3, padding=1),
            conv4=conv_relu(384, 256, 3, padding=1),
            conv5=conv_relu(256, _CHANNELS, 3, padding=1),
        )
    )
    spec = BackboneSpec(
        channels=_CHANNELS,
        offset=-4.5,
        pool_size=6,
        head_features=4096,
        finetune_from="conv2",
        preprocessing=IMAGENET_RGB,
        convert=convert,
    )
    return Backbone(spec, trunk, fc_head(spec))


def convert(source: StateDict) -> dict[str, Tensor]:
    """Maps torchvision's weights, fc6 and fc7 included, to this project's names."""
    return renamed(source, _NAMES)
