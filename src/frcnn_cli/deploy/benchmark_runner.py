"""Variants timed on the same images and regions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean
from typing import Protocol

import torch

from frcnn_cli import boxes as box_ops
from frcnn_cli.acceleration.inference import OnStage
from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.config import DetectConfig
from frcnn_cli.deploy.baselines import RCNN, RCNN_SIDE, BenchImage
from frcnn_cli.deploy.flops import matrix_peak, network_flops
from frcnn_cli.deploy.stage_timer import StageTimer
from frcnn_cli.detection.detector import on_cpu
from frcnn_cli.detection.voting import postprocess_with_votes
from frcnn_cli.model.build import build_backbone
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.runtime.memory import peak_memory, reset_peak

NETWORK = ("trunk", "pooling", "head", "postprocess")
STAGES = ("decode", "proposals", *NETWORK)


@dataclass(frozen=True)
class BenchConfig:
    """Settings of the measurements.

    Attributes:
        rois: maximum number of RoIs per image.
        repeat: measurements of each variant, of which the fastest is taken.
        rcnn_regions: regions that R-CNN is run on; its time is scaled to all.
        ranks: of fc6 and fc7 in the step with truncated SVD (§4.4), where a head has larger ones.
    """

    rois: int = 2000
    repeat: int = 3
    rcnn_regions: int = 24
    ranks: tuple[int, int] = (1024, 256)


@dataclass(frozen=True)
class Row:
    """One variant, as means over the images.

    Attributes:
        name: what it is, or what it adds to the one before it.
        seconds: of each stage, for one image.
        flops: floating-point operations of trunk and head with every region computed.
        floor: seconds that these take at the measured peak of the matrix product.
        memory: peak resident bytes; None where the system does not report it.
        scores: largest difference of a class probability from the plain pipeline's; None where
            the weights are others.
        pixels: the same of a box's edges.
    """

    name: str
    seconds: Mapping[str, float]
    flops: float
    floor: float
    memory: int | None
    scores: float | None
    pixels: float | None

    @property
    def network(self) -> float:
        """Seconds of the network and the post-processing."""
        return sum(self.seconds[stage] for stage in NETWORK)

    @property
    def whole(self) -> float:
        """Seconds of everything."""
        return sum(self.seconds.values())


class Variant(Protocol):
    """Runs the network over an image."""

    def __call__(self, image: BenchImage, on_stage: OnStage) -> RegionOutput:
        """Returns the output, calling `on_stage` when a stage is done."""


@dataclass(frozen=True)
class Step:
    """An optimization and how to build its variant; only one variant is in memory at a time."""

    name: str
    build: Callable[[], Variant]
    dtype: torch.dtype = torch.float32
    ranks: tuple[int, int] = (0, 0)


class BenchmarkRunner:
    """Runs variants over the same images.

    Args:
        images: the same for every variant.
        model: float32, on its device; it is not changed.
        info: what it is.
        detect: thresholds of the post-processing.
        config: how much is measured.
    """

    def __init__(
        self,
        images: Sequence[BenchImage],
        model: FastRCNN,
        info: CheckpointInfo,
        detect: DetectConfig,
        config: BenchConfig,
    ) -> None:
        self.peaks: dict[torch.dtype, float] = {}
        self._images = images
        self._model, self._info, self._detect, self._config = model, info, detect, config
        self._device = model.class_score.weight.device
        self._expected: list[RegionOutput] = []

    def run(self, step: Step, before: Mapping[str, float]) -> Row:
        """Measures one variant; the first one's output is what others are compared with."""
        variant = step.build()
        seconds, memory, outputs = self._timed(variant)
        self._expected = self._expected or outputs
        scores, pixels = (None, None) if any(step.ranks) else self._differences(outputs)
        flops = mean(map(self._flops(step.ranks), self._images))
        return Row(
            step.name,
            {**before, **seconds},
            flops,
            flops / self._peak(step.dtype),
            memory,
            scores,
            pixels,
        )

    def run_rcnn(self, before: Mapping[str, float]) -> Row:
        """Measures R-CNN on some regions and scales the time to all of them."""
        variant = RCNN(copy.deepcopy(self._model), self._config.rcnn_regions)
        seconds, memory, _ = self._timed(variant)
        regions = mean(len(each.boxes) for each in self._images)
        measured = mean(min(len(each.boxes), self._config.rcnn_regions) for each in self._images)
        for stage in NETWORK[:-1]:
            seconds[stage] *= regions / max(measured, 1)
        flops = network_flops(self._model, RCNN_SIDE, RCNN_SIDE, 1) * regions
        floor = flops / self._peak(torch.float32)
        return Row("R-CNN", {**before, **seconds}, flops, floor, memory, None, None)

    def _timed(self, variant: Variant) -> tuple[dict[str, float], int | None, list[RegionOutput]]:
        """Returns the mean seconds of each stage, the peak memory and the outputs."""
        fastest: list[dict[str, float]] = []
        outputs = []
        reset_peak(self._device)
        for image in self._images:
            self._once(variant, image)  # warms up for its size
            runs = [self._once(variant, image) for _ in range(self._config.repeat)]
            # The fastest, since other work on the machine can only make a run slower.
            fastest.append(min((each for each, _ in runs), key=lambda each: sum(each.values())))
            outputs.append(RegionOutput(*(part.cpu() for part in runs[-1][1])))
        memory = peak_memory(self._device)
        return {s: mean(each[s] for each in fastest) for s in NETWORK}, memory, outputs

    def _once(self, variant: Variant, image: BenchImage) -> tuple[dict[str, float], RegionOutput]:
        timer = StageTimer(self._device, exact=True)
        output = variant(image, timer)
        boxes = torch.from_numpy(image.boxes[: len(output.deltas)])
        output = on_cpu(output)
        height, width = image.pixels.shape[:2]
        postprocess_with_votes(output, boxes, (width, height), self._detect)
        timer("postprocess")
        return timer.seconds, output

    def _differences(self, outputs: Sequence[RegionOutput]) -> tuple[float, float]:
        """Returns the largest difference of a probability, and of an edge in pixels."""
        scores, pixels = 0.0, 0.0
        for image, found, expected in zip(self._images, outputs, self._expected, strict=True):
            chances = [each.class_logits.float().softmax(1) for each in (found, expected)]
            scores = max(scores, float((chances[0] - chances[1]).abs().amax()))
            roi, label = torch.nonzero(
                chances[1][:, 1:] > self._detect.score_threshold, as_tuple=True
            )
            if len(roi):
                proposals = torch.from_numpy(image.boxes)[roi]
                height, width = image.pixels.shape[:2]
                deltas = [each.deltas[roi, label + 1].float() for each in (found, expected)]
                boxes = [
                    box_ops.clip(box_ops.decode(proposals, each), width, height) for each in deltas
                ]
                pixels = max(pixels, float((boxes[0] - boxes[1]).abs().amax()))
        return scores, pixels

    def _flops(self, ranks: tuple[int, int]) -> Callable[[BenchImage], float]:
        model = self._model
        if any(ranks):
            small = replace(self._info.model, fc6_rank=ranks[0], fc7_rank=ranks[1])
            with torch.device("meta"):
                model = FastRCNN(build_backbone(small), model.num_classes)

        def count(image: BenchImage) -> float:
            height, width = image.resized.shape[:2]
            return network_flops(model, width, height, len(image.boxes))

        return count

    def _peak(self, dtype: torch.dtype) -> float:
        if dtype not in self.peaks:
            self.peaks[dtype] = matrix_peak(dtype, self._device)
        return self.peaks[dtype]
