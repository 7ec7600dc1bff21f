"""A trained network, and what it needs to detect in images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from frcnn_cli.acceleration.inference import Inference, Lap
from frcnn_cli.acceleration.onnx_inference import OnnxInference
from frcnn_cli.cache.checkpoints import CheckpointInfo, load_checkpoint
from frcnn_cli.cache.runs import newest_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, InputConfig, ProposalConfig, SpeedConfig
from frcnn_cli.detection.prefetch import View
from frcnn_cli.errors import CheckpointError
from frcnn_cli.model.batch import prepare
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.records import Calibration

BUNDLED = Path(__file__).parent.parent / "weights" / "voc07_mini_efficientnet_lite0.safetensors"
"""The detector shipped with frcnn: the 20 VOC classes."""
SPEED = SpeedConfig()
"""Everything that makes detection faster is on."""


@dataclass(frozen=True)
class LoadedDetector:
    """A network on its device, ready to detect.

    Attributes:
        network: the trained network, made fast.
        model: its normalisation and preprocessing.
        info: its classes and the size of the images that it expects.
        device: where it computes.
    """

    network: Inference | OnnxInference
    model: FastRCNN
    info: CheckpointInfo
    device: torch.device

    @classmethod
    def load(cls, path: Path, device: torch.device, speed: SpeedConfig = SPEED) -> Self:
        """Reads a checkpoint onto `device`, or a file of `frcnn export` for the CPU.

        Raises:
            CheckpointError: the file is missing, damaged or not a checkpoint of this project.
        """
        if path.suffix == ".onnx":
            return cls.of_onnx(OnnxInference(path, precision=speed.precision))
        model, info = load_model(path)
        return cls.of(model.to(device), info, speed)

    @classmethod
    def of_onnx(cls, network: OnnxInference) -> Self:
        """Makes a detector of an exported network, which runs on the CPU."""
        info = CheckpointInfo(network.config, network.classes, network.input)
        return cls(network, network.model, info, network.device)

    @classmethod
    def of(cls, model: FastRCNN, info: CheckpointInfo, speed: SpeedConfig = SPEED) -> Self:
        """Makes a detector of `model`, which is modified in place: pass a copy to keep yours."""
        network = Inference(model, speed)
        return cls(network, model, info, network.device)

    def uncalibrated(self) -> Self:
        """Returns the same detector with the scores of its votes as they are."""
        return replace(self, info=replace(self.info, calibration=None))

    def calibration(self, config: DetectConfig) -> Calibration | None:
        """Returns what calibrates its scores: those of votes, if it was calibrated."""
        return self.info.calibration if config.vote else None

    def confident_score(self, config: DetectConfig) -> float | None:
        """Returns the score from which its detections are confident ones; None if not known."""
        calibration = self.calibration(config)
        return None if calibration is None else calibration.threshold.score

    def sizes(self, config: DetectConfig) -> tuple[InputConfig, ...]:
        """Returns the sizes at which images are given to the network."""
        if not config.scales:
            return (self.info.input,)
        return tuple(InputConfig(side, max(side, config.longest_side)) for side in config.scales)

    @torch.inference_mode()
    def forward_views(self, views: Sequence[View], on_stage: Lap) -> RegionOutput:
        """Runs the network on an image.

        Args:
            views: the image at each size; each of its R proposals is in one of them.
            on_stage: called with the name of each stage when it is done.

        Returns:
            Class logits (R, K + 1) and deltas (R, K + 1, 4) on its device, in the order of the
            proposals.
        """
        spec = self.model.backbone.spec
        images, rois = [], []
        for view in views:
            pixels = _on(self.device, view.pixels).permute(2, 0, 1)
            images.append(prepare(pixels, spec.preprocessing, spec.stride))
            rois.append(_on(self.device, view.rois))
        output = self.network(images, rois, on_stage)
        if len(views) == 1:
            return output
        places = np.concatenate([view.places for view in views])
        order = _on(self.device, np.argsort(places))
        return RegionOutput(output.class_logits[order], output.deltas[order])


@dataclass(frozen=True)
class DetectionJob:
    """What detections of an image follow from.

    Attributes:
        detector: the network.
        cache: where proposals are kept; None keeps none.
        proposals: how regions are searched.
        config: thresholds; the score's is one of calibrated scores, where it has a calibration.
        match_iou: IoU from which a box matches an object, for the diagnostics of the ground truth
            of images that have one; None: no diagnostics.
    """

    detector: LoadedDetector
    cache: Cache | None
    proposals: ProposalConfig
    config: DetectConfig
    match_iou: float | None = None


def choose_checkpoint(named: Path | None, cache: Cache) -> Path:
    """Returns the checkpoint that is named, else the cache's newest best, else the bundled one.

    The name "bundled" stands for the bundled one.
    """
    if named == Path("bundled"):
        return BUNDLED
    return named or newest_checkpoint(cache) or BUNDLED


def on_cpu(output: RegionOutput) -> RegionOutput:
    """Returns the output on the CPU, waiting for a GPU; nothing else in detection waits for it."""
    if output.deltas.device.type == "cpu":
        return output
    rows, classes = output.class_logits.shape
    joined = torch.cat((output.class_logits, output.deltas.view(rows, -1)), dim=1).cpu()
    return RegionOutput(joined[:, :classes], joined[:, classes:].view(rows, classes, 4))


def _on(device: torch.device, array: npt.NDArray[Any]) -> torch.Tensor:
    """Returns an array on `device`; a GPU copies it while it computes."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def load_model(path: Path) -> tuple[FastRCNN, CheckpointInfo]:
    """Reads a checkpoint as a network in float32 on the CPU, with its description.

    Raises:
        CheckpointError: the file is missing, damaged or not a checkpoint of this project.
    """
    tensors, info = load_checkpoint(path)
    try:
        return model_of(tensors, info), info
    except RuntimeError as error:
        raise CheckpointError(
            f"its tensors are not those of {info.model.backbone} with {len(info.classes)} classes",
            remedy="train or copy it again",
            file=path,
        ) from error


def model_of(tensors: Mapping[str, torch.Tensor], info: CheckpointInfo) -> FastRCNN:
    """Returns the network that a checkpoint describes, in float32 on the CPU.

    Raises:
        RuntimeError: the tensors are those of another network.
    """
    model = build_model(info.model, len(info.classes))
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return model
