"""The networks below Fast R-CNN, by name."""

from collections.abc import Callable, Mapping

from frcnn_cli.model.backbones import alexnet, efficientnet_lite0, resnet50, vgg16, vgg_cnn_m_1024
from frcnn_cli.model.backbones.base import Backbone

BACKBONES: Mapping[str, Callable[[], Backbone]] = {
    "efficientnet_lite0": efficientnet_lite0.build,
    "vgg16": vgg16.build,
    "vgg_cnn_m_1024": vgg_cnn_m_1024.build,
    "alexnet": alexnet.build,
    "resnet50": resnet50.build,
}

__all__ = ["BACKBONES"]
