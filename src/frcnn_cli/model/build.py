"""Builds a network from its configuration; the only place that does."""

from __future__ import annotations

import torch

from frcnn_cli.config import ModelConfig
from frcnn_cli.model.backbones import BACKBONES, timm_features
from frcnn_cli.model.backbones.base import Backbone
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.model.low_rank import split_head


def build_backbone(config: ModelConfig) -> Backbone:
    """Returns trunk and head with random weights, drawn from the global random state."""
    if config.backbone in BACKBONES:
        backbone = BACKBONES[config.backbone]()
    else:
        backbone = timm_features.build(config.backbone.removeprefix(timm_features.PREFIX))
    split_head(backbone, {"fc6": config.fc6_rank, "fc7": config.fc7_rank})
    return backbone


def build_model(config: ModelConfig, num_classes: int, seed: int = 0) -> FastRCNN:
    """Returns a network with random weights, frozen below `config.finetune_from`.

    Args:
        config: backbone, pooling, first trained layer.
        num_classes: K, without background.
        seed: of the random weights; the global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = FastRCNN(build_backbone(config), num_classes, config.pool)
    model.initialise(torch.Generator().manual_seed(seed))
    model.backbone.freeze_below(config.finetune_from)
    return model.to(memory_format=torch.channels_last)
