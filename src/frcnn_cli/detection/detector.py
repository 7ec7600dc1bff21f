"""A trained network and what it needs to look at a photograph."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from frcnn_cli.acceleration.inference import Inference, Lap
from frcnn_cli.cache.checkpoints import CheckpointInfo, load_checkpoint
from frcnn_cli.config import DetectConfig, InputConfig, SpeedConfig
from frcnn_cli.detection.prefetch import View, views_of
from frcnn_cli.detection.voting import postprocess_with_votes
from frcnn_cli.errors import CheckpointError
from frcnn_cli.model.batch import prepare
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.records import Detections, FloatArray

BUNDLED = Path(__file__).parent.parent / "weights" / "voc07_mini_efficientnet_lite0.safetensors"
"""The detector in the box: the 20 VOC classes."""
SPEED = SpeedConfig()
"""All that makes detection faster is on."""


Watch = Callable[[RegionOutput, torch.Tensor, FastRCNN], None]
"""Takes the output for the proposals (R, 4), in pixels of the photograph, and the network."""


@dataclass(frozen=True)
class Detector:
    """A network on its device, ready to detect.

    Attributes:
        network: the trained network, made fast.
        model: its normalisation and preprocessing.
        info: its classes and the size of the photographs it expects.
        device: where it is.
    """

    network: Inference
    model: FastRCNN
    info: CheckpointInfo
    device: torch.device

    @classmethod
    def load(cls, path: Path, device: torch.device, speed: SpeedConfig = SPEED) -> Self:
        """Reads a checkpoint onto `device`.

        Raises:
            CheckpointError: the file is missing, damaged or no checkpoint of this project.
        """
        model, info = load_model(path)
        return cls.of(model.to(device), info, speed)

    @classmethod
    def of(cls, model: FastRCNN, info: CheckpointInfo, speed: SpeedConfig = SPEED) -> Self:
        """Makes a detector of a network, whose layers are changed: give it a copy to keep yours."""
        network = Inference(model, speed)
        return cls(network, model, info, network.device)

    def detect(
        self,
        image: npt.NDArray[np.uint8],
        proposals: FloatArray,
        config: DetectConfig,
        watch: Watch | None = None,
    ) -> tuple[Detections, dict[str, float]]:
        """Detects the objects of one photograph.

        Args:
            image: (H, W, 3) RGB.
            proposals: (N, 4) xyxy in its pixels.
            config: thresholds.
            watch: shown what the network says of the proposals, before the thresholds.

        Returns:
            The detections, and the seconds of "network" and "postprocess".
        """
        laps = Laps(self.device)
        height, width = image.shape[:2]
        views = views_of(image, proposals, self.sizes(config))
        found = self.detect_views(views, proposals, (width, height), config, laps, watch=watch)
        return found, laps.by_stage()

    def sizes(self, config: DetectConfig) -> tuple[InputConfig, ...]:
        """Returns the sizes at which photographs are looked at."""
        if not config.scales:
            return (self.info.input,)
        return tuple(InputConfig(side, max(side, config.longest_side)) for side in config.scales)

    @torch.inference_mode()
    def detect_views(
        self,
        views: Sequence[View],
        proposals: FloatArray,
        size: tuple[int, int],
        config: DetectConfig,
        laps: Laps,
        *,
        watch: Watch | None = None,
    ) -> Detections:
        """Detects the objects of a photograph that is resized already.

        Args:
            views: what the network sees; each proposal is in one of them.
            proposals: (N, 4) xyxy in pixels of the photograph.
            size: width and height of the photograph.
            config: thresholds.
            laps: takes the time of each step.
            watch: told what the network says of every proposal.
        """
        output = fetched(look(self.network, self.model, views, laps))
        laps("network")
        boxes = torch.from_numpy(proposals)
        if watch is not None:
            watch(output, boxes, self.model)
            laps("watch")
        found = postprocess_with_votes(output, boxes, self.model, size, config)
        laps("postprocess")
        return found


@torch.inference_mode()
def look(network: Inference, model: FastRCNN, views: Sequence[View], lap: Lap) -> RegionOutput:
    """Returns what the network says of the proposals in the views of a photograph, in their order.

    Args:
        network: what detects.
        model: its preprocessing.
        views: the photograph at each size.
        lap: told as each step is done.
    """
    spec = model.backbone.spec
    images, rois = [], []
    for view in views:
        pixels = _on(network.device, view.pixels).permute(2, 0, 1)
        images.append(prepare(pixels, spec.preprocessing, spec.stride))
        rois.append(_on(network.device, view.rois))
    output = network(images, rois, lap)
    if len(views) == 1:
        return output
    places = np.concatenate([view.places for view in views])
    order = _on(network.device, np.argsort(places))
    return RegionOutput(output.class_logits[order], output.deltas[order])


def fetched(output: RegionOutput) -> RegionOutput:
    """Returns the output on the CPU: the one moment at which a GPU is waited for."""
    if output.deltas.device.type == "cpu":
        return output
    rows, classes = output.class_logits.shape
    joined = torch.cat((output.class_logits, output.deltas.view(rows, -1)), dim=1).cpu()
    return RegionOutput(joined[:, :classes], joined[:, classes:].view(rows, classes, 4))


def _on(device: torch.device, array: npt.NDArray[Any]) -> torch.Tensor:
    """Returns an array on `device`; a GPU fetches it while it computes."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def load_model(path: Path) -> tuple[FastRCNN, CheckpointInfo]:
    """Reads a checkpoint as a network in float32 on the CPU, and what it is.

    Raises:
        CheckpointError: the file is missing, damaged or no checkpoint of this project.
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


class Laps:
    """A stopwatch that gives each step the time since the one before it.

    Args:
        device: what is timed.
        exact: whether to wait for a GPU after each step; else the step that waits gets all of it.
    """

    def __init__(self, device: torch.device, *, exact: bool = False) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._waits = exact and device.type == "cuda"
        self._last = time.perf_counter()

    def __call__(self, step: str) -> None:
        """Ends `step`."""
        if self._waits:
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._last
        self._last = now

    def by_stage(self) -> dict[str, float]:
        """Returns the seconds of "network" and of "postprocess"; watching is neither."""
        seconds = dict(self.seconds)
        seconds.pop("watch", None)
        rest = seconds.pop("postprocess")
        return {"network": sum(seconds.values()), "postprocess": rest}
