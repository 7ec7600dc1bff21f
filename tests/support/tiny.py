"""A network and batches so small that a step takes milliseconds."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from frcnn_cli.model.backbones.base import Backbone, BackboneSpec
from frcnn_cli.model.batch import IMAGENET_RGB, Batch
from frcnn_cli.model.fast_rcnn import FastRCNN

SPEC = BackboneSpec(8, 2, 32, "conv1", IMAGENET_RGB, dict, stride=8)


def model(classes: int = 2, seed: int = 0) -> FastRCNN:
    """Returns two convolutions (stride 8), 2×2 RoI pooling, fc6 and fc7 with dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk = OrderedDict(
            conv1=nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.ReLU()),
            conv2=nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()),
        )
        head = OrderedDict(
            flatten=nn.Flatten(),
            fc6=nn.Linear(32, 32),
            relu6=nn.ReLU(),
            drop6=nn.Dropout(),
            fc7=nn.Linear(32, 32),
            relu7=nn.ReLU(),
            drop7=nn.Dropout(),
        )
        network = FastRCNN(Backbone(SPEC, nn.Sequential(trunk), nn.Sequential(head)), classes)
    network.initialise(torch.Generator().manual_seed(seed))
    return network


def batch(step: int = 0, count: int = 2, rois: int = 6, classes: int = 2) -> Batch:
    """Returns random images of 64×64 pixels, with a third of the RoIs background."""
    generator = torch.Generator().manual_seed(step)
    images, boxes = [], []
    for _ in range(count):
        images.append(torch.randn(1, 3, 64, 64, generator=generator))
        corners = torch.rand(rois, 2, generator=generator) * 32
        sizes = 8 + torch.rand(rois, 2, generator=generator) * 24
        boxes.append(torch.cat((corners, corners + sizes), dim=1))
    labels = torch.arange(count * rois) % (classes + 1)
    deltas = torch.randn(count * rois, 4, generator=generator) * (labels > 0)[:, None]
    names = tuple(f"{step}-{i}" for i in range(count))
    return Batch(tuple(images), tuple(boxes), labels, deltas, names)


def share(whole: Batch, first: int, end: int) -> Batch:
    """Returns some of a batch's images."""
    counts = [len(rois) for rois in whole.rois]
    rows = slice(sum(counts[:first]), sum(counts[:end]))
    return Batch(
        whole.images[first:end],
        whole.rois[first:end],
        whole.labels[rows],
        whole.deltas[rows],
        whole.image_ids[first:end],
    )
