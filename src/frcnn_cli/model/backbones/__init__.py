"""The networks below Fast R-CNN, by name."""

from collections.abc import Callable, Mapping
from functools import partial

from frcnn_cli.model.backbones import alexnet, efficientnet_lite, resnet50, vgg16, vgg_cnn_m_1024
from frcnn_cli.model.backbones.base import Backbone

BACKBONES: Mapping[str, Callable[[], Backbone]] = {
    "efficientnet_lite0": partial(efficientnet_lite.build, efficientnet_lite.LITE0),
    "efficientnet_lite2": partial(efficientnet_lite.build, efficientnet_lite.LITE2),
    "vgg16": vgg16.build,
    "vgg_cnn_m_1024": vgg_cnn_m_1024.build,
    "alexnet": alexnet.build,
    "resnet50": resnet50.build,
}

__all__ = ["BACKBONES"]
