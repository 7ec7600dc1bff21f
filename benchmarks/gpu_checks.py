"""The data of `gpu.py`, and its checks of a GPU against the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frcnn_cli.acceleration.range_maxima import StackedMaxima
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import (
    DetectConfig,
    InputConfig,
    ModelConfig,
    ProposalConfig,
    SpeedConfig,
    TrainConfig,
    override,
)
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.detection.detector import BUNDLED, DetectionJob, LoadedDetector
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.loop import detect_images
from frcnn_cli.errors import FrcnnError
from frcnn_cli.model.build import build_model
from frcnn_cli.model.roi_pool import cell_corners, roi_pool
from frcnn_cli.proposals.service import ensure_proposals
from frcnn_cli.records import DetectedImage, Sample
from frcnn_cli.training.batches.dataset import TrainingSet
from frcnn_cli.training.engine.loop import Trainer

CLASSES = 20
SEARCH = ProposalConfig(preset="quality", max_proposals=2000)
NETWORKS = {
    "VGG16": ModelConfig("vgg16"),
    "VGG16, SVD": ModelConfig("vgg16", fc6_rank=1024, fc7_rank=256),
    "default": ModelConfig(),
}
MOST_SCORE, MOST_PIXELS, MOST_LOSS = 1e-3, 0.1, 0.02
"""How far float32 on a GPU may be from the CPU: sums have another order."""
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Amount:
    """Amount of the measurements."""

    images: int
    searched: int
    steps: int
    compared_steps: int
    rois: int
    size: InputConfig

    def train_config(self, steps: int, **settings: Any) -> TrainConfig:
        """Returns the paper's recipe at this size."""
        sides = {"short_sides": (self.size.short_side,), "long_side": self.size.long_side}
        return override(TrainConfig(), {"iterations": steps, **sides, **settings})


FULL = Amount(96, 32, 60, 20, 2000, InputConfig())
QUICK = Amount(2, 2, 2, 2, 60, InputConfig(96, 160))


class Data:
    """The images, with their proposals in a cache."""

    def __init__(self, folder: Path, cache: Cache, amount: Amount) -> None:
        samples, _ = read_split(open_dataset(folder, cache), "trainval")
        self.samples: list[Sample] = samples[: amount.images]
        self.cache = cache
        self.run = ensure_proposals([each.path for each in self.samples], SEARCH, cache)

    def images(self, count: int) -> list[ImageInput]:
        """Returns `count` images, again from the first where there are fewer."""
        return [ImageInput(self.samples[i % len(self.samples)].path) for i in range(count)]


def check_pooling(device: torch.device, rois: int) -> str:
    """Raises if RoI pooling on the device differs from the CPU's in a bit."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(rois, 2, 2, generator=generator) * torch.tensor([900.0, 600.0])
    boxes = corners.sort(dim=1).values.flatten(1) - 20  # some leave the map
    cells, images = cell_corners(boxes, 1 / 16), torch.zeros(rois, dtype=torch.long)
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        features = torch.randn(1, 64, 38, 57, generator=generator).to(dtype)
        expected = roi_pool(features, torch.nn.functional.pad(boxes, (1, 0)), 7, 1 / 16)
        there = [each.to(device) for each in (features, images, cells)]
        tables = StackedMaxima(*there, 7).pooled(0, rois).permute(0, 3, 1, 2)
        kernel = torch.ops.frcnn.roi_pool(*there, 7)[0]
        for name, found in (("detection", tables), ("training", kernel)):
            if not torch.equal(found.cpu(), expected):
                raise SystemExit(f"RoI pooling of {name} in {dtype} differs from the CPU's")
    return f"{rois} RoIs in three types: equal bits"


def check_detections(data: Data, device: torch.device, count: int) -> str:
    """Raises if the bundled detector finds something else in float32; returns the differences."""

    def find(where: torch.device, speed: SpeedConfig) -> list[DetectedImage]:
        detector = LoadedDetector.load(BUNDLED, where, speed)
        job = DetectionJob(detector, data.cache, SEARCH, DetectConfig())
        return [
            each
            for each in detect_images(data.images(count), job, workers=0)
            if require_found(each)
        ]

    def differences(speed: SpeedConfig) -> tuple[float, float, int]:
        scores, pixels, lost = 0.0, 0.0, 0
        for one, other in zip(expected, find(device, speed), strict=True):
            mine, its = one.detections, other.detections
            for box, score, label in zip(mine.boxes, mine.scores, mine.labels, strict=True):
                near = np.abs(its.boxes - box).max(axis=1, initial=0.0)
                near[its.labels != label] = np.inf
                if not len(near) or near.min() > 10:
                    lost += 1  # a score at the threshold, or another order of NMS
                    continue
                best = int(near.argmin())
                scores = max(scores, abs(float(its.scores[best] - score)))
                pixels = max(pixels, float(near[best]))
        return scores, pixels, lost

    expected = find(_CPU, SpeedConfig("float32"))
    exact, short = differences(SpeedConfig("float32")), differences(SpeedConfig())
    if exact[0] > MOST_SCORE or exact[1] > MOST_PIXELS:
        raise SystemExit(f"float32 detections differ by {exact[0]} in score, {exact[1]} pixels")
    return "; ".join(
        f"{name}: scores within {scores:.1e}, edges within {pixels:.3f} pixels, {lost} unmatched"
        for name, (scores, pixels, lost) in (("float32", exact), ("16 bits", short))
    )


def check_training(data: Data, device: torch.device, amount: Amount) -> str:
    """Raises if the losses of the first steps differ; returns by how much."""
    steps = amount.compared_steps
    config = amount.train_config(steps, precision="float32")
    losses = []
    for where in (_CPU, device):
        model = build_model(ModelConfig(), CLASSES).to(where)
        spec = model.backbone.spec
        batches = TrainingSet(data.samples, data.run, config, spec, device=where).batches(0, 0)
        losses.append([each.loss for each in Trainer(model, config, where).run(batches)])
    pairs = zip(*losses, strict=True)
    largest = max(abs(one - other) / abs(one) for one, other in pairs)
    if largest > MOST_LOSS:
        raise SystemExit(f"the losses of {steps} steps differ by up to {largest:.1%}: {losses}")
    return f"{steps} steps: losses within {largest:.1e} of each other"


def require_found(result: DetectedImage | FrcnnError) -> DetectedImage:
    """Returns the result of an image; ends the script where there is none."""
    if not isinstance(result, DetectedImage):
        raise SystemExit(str(result))
    return result
