"""A trained network, and what it needs to detect in images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from frcnn_cli.acceleration.inference import Inference, OnStage
from frcnn_cli.acceleration.onnx_inference import OnnxInference
from frcnn_cli.cache.checkpoints import CheckpointInfo, damaged, load_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, InputConfig, ProposalConfig, SpeedConfig
from frcnn_cli.detection.views import View
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.model.batch import prepare
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.records import Calibration, DetectedImage
from frcnn_cli.runtime.device import upload
from frcnn_cli.runtime.memory import translate_out_of_memory

BUNDLED = Path(__file__).parent.parent / "weights" / "voc07_efficientnet_lite2.safetensors"
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
    @translate_out_of_memory("close what else uses the GPU, or use --gpus 0")
    def load(cls, path: Path, device: torch.device, speed: SpeedConfig = SPEED) -> Self:
        """Reads a checkpoint onto `device`, or a file of `frcnn export` for the CPU.

        Args:
            path: a checkpoint, or a `.onnx` file.
            device: where it computes.
            speed: what makes it faster.

        Raises:
            CheckpointError: the file is missing, damaged or not a checkpoint of this project.
            DeviceError: the GPU has no memory for it.
        """
        if path.suffix == ".onnx":
            return cls.of_onnx(OnnxInference(path, precision=speed.precision))
        model, info = load_model(path)
        return cls.of(model.to(device), info, speed)

    @classmethod
    def of_onnx(cls, network: OnnxInference) -> Self:
        """Makes a detector of an exported network, which runs on the CPU."""
        info = CheckpointInfo(
            network.config,
            network.classes,
            network.input,
            calibration=network.calibration,
            tiles=network.tiles,
        )
        return cls(network, network.model, info, network.device)

    @classmethod
    def of(cls, model: FastRCNN, info: CheckpointInfo, speed: SpeedConfig = SPEED) -> Self:
        """Makes a detector of `model`, which is modified in place: pass a copy to keep yours.

        Args:
            model: on its device.
            info: its classes and the size of its images.
            speed: what makes it faster.
        """
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
    def forward(
        self, images: Sequence[Sequence[View]], on_stage: OnStage = lambda _: None
    ) -> RegionOutput:
        """Runs the network on images.

        Args:
            images: each at each of its sizes, all at as many; each of the R proposals of all images
                is in one of these views.
            on_stage: called with the name of each stage when it is done.

        Returns:
            Class logits (R, K + 1) and deltas (R, K + 1, 4) on its device, image by image in the
            order of the proposals.
        """
        spec = self.model.backbone.spec
        # The first view of each image, then the second: those of one size are neighbours.
        views = [view for same in zip(*images, strict=True) for view in same]
        prepared = [
            prepare(
                upload(view.pixels, self.device).permute(2, 0, 1), spec.preprocessing, spec.stride
            )
            for view in views
        ]
        rois = upload(np.concatenate([view.rois for view in views]), self.device)
        each = torch.split(rois, [len(view.rois) for view in views])
        output = self.network(prepared, each, on_stage)
        if len(views) == len(images):
            return output
        sizes = [sum(len(view.rois) for view in image) for image in images]
        firsts = np.cumsum([0, *sizes[:-1]])
        places = [
            first + view.places
            for same in zip(*images, strict=True)
            for first, view in zip(firsts, same, strict=True)
        ]
        order = upload(np.argsort(np.concatenate(places)), self.device)
        return RegionOutput(output.class_logits[order], output.deltas[order])


@dataclass(frozen=True)
class DetectionJob:
    """Detector and settings that determine the detections of an image.

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

    def raw_config(self, views: int) -> DetectConfig:
        """Returns `config` for an image of so many views.

        Its score threshold is one of scores before their calibration, and a tile may hold as many
        detections as an image.
        """
        config, calibration = self.config, self.detector.calibration(self.config)
        if calibration is not None:
            config = replace(config, score_threshold=calibration.raw(config.score_threshold))
        if self.proposals.tiles:
            config = replace(config, max_per_image=config.max_per_image * views)
        return config

    def calibrated(self, image: DetectedImage) -> DetectedImage:
        """Returns an image detected with `raw_config`, its scores calibrated."""
        calibration = self.detector.calibration(self.config)
        if calibration is None:
            return image
        found, seen = image.detections, image.diagnostics
        found = replace(found, scores=calibration.apply(found.scores))
        if seen is not None:
            seen = replace(seen, candidate_score=calibration.apply(seen.candidate_score))
        return replace(image, detections=found, diagnostics=seen)


def on_cpu(output: RegionOutput) -> RegionOutput:
    """Returns the output on the CPU, waiting for a GPU; nothing else in detection waits for it."""
    if output.deltas.device.type == "cpu":
        return output
    rows, classes = output.class_logits.shape
    joined = torch.cat((output.class_logits, output.deltas.view(rows, -1)), dim=1).cpu()
    return RegionOutput(joined[:, :classes], joined[:, classes:].view(rows, classes, 4))


def load_model(path: Path) -> tuple[FastRCNN, CheckpointInfo]:
    """Reads a checkpoint as a network in float32 on the CPU, with its description.

    Raises:
        CheckpointError: the file is missing, damaged or not a checkpoint of this project.
    """
    tensors, info = load_checkpoint(path)
    try:
        return model_of(tensors, info), info
    except ConfigError as error:
        raise CheckpointError(error.problem, remedy=error.remedy, file=path) from error
    except RuntimeError as error:
        network = f"{info.model.backbone} with {len(info.classes)} classes"
        raise damaged(path, f"its tensors are not those of {network}") from error


def model_of(tensors: Mapping[str, torch.Tensor], info: CheckpointInfo) -> FastRCNN:
    """Returns the network that a checkpoint describes, in float32 on the CPU.

    Raises:
        RuntimeError: the tensors are those of another network.
    """
    model = build_model(info.model, len(info.classes))
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return model
