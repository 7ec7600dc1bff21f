"""A trained network and what it needs to look at a photograph."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo, load_checkpoint
from frcnn_cli.config import DetectConfig
from frcnn_cli.data.resize import resize
from frcnn_cli.errors import CheckpointError
from frcnn_cli.model.batch import prepare
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.model.postprocess import postprocess
from frcnn_cli.records import Detections, FloatArray

BUNDLED = Path(__file__).parent.parent / "weights" / "voc07_mini_efficientnet_lite0.safetensors"
"""The detector in the box: the 20 VOC classes."""


Watch = Callable[[RegionOutput, torch.Tensor, FastRCNN], None]
"""Takes the output for the proposals (R, 4), in pixels of the photograph, and the network."""


@dataclass(frozen=True)
class Detector:
    """A network on its device, ready to detect.

    Attributes:
        model: in evaluation mode.
        info: its classes and the size of the photographs it expects.
        device: where it is.
    """

    model: FastRCNN
    info: CheckpointInfo
    device: torch.device

    @classmethod
    def load(cls, path: Path, device: torch.device) -> Self:
        """Reads a checkpoint onto `device`.

        Raises:
            CheckpointError: the file is missing, damaged or no checkpoint of this project.
        """
        tensors, info = load_checkpoint(path)
        model = build_model(info.model, len(info.classes))
        weights = {name: tensor.float() for name, tensor in tensors.items()}
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(
                f"its tensors are not those of {info.model.backbone} "
                f"with {len(info.classes)} classes",
                remedy="train or copy it again",
                file=path,
            ) from error
        return cls(model.to(device).eval(), info, device)

    @torch.inference_mode()
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
        start = time.perf_counter()
        height, width = image.shape[:2]
        resized = resize(image, self.info.input)
        spec = self.model.backbone.spec
        pixels = torch.from_numpy(resized.pixels).permute(2, 0, 1).to(self.device)
        boxes = torch.from_numpy(proposals).to(self.device)
        rois = boxes * torch.from_numpy(resized.scale).to(self.device)
        output = self.model([prepare(pixels, spec.preprocessing, spec.stride)], [rois])
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if watch is not None:
            watch(output, boxes, self.model)
        between = time.perf_counter()
        found = postprocess(output, boxes, self.model, (width, height), config)
        seconds = {"network": between - start, "postprocess": time.perf_counter() - between}
        return found, seconds
