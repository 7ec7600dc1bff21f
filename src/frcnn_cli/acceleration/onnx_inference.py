"""Inference with a file of `frcnn export`, by OpenVINO or onnxruntime, on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from frcnn_cli import boxes as box_ops
from frcnn_cli.acceleration.inference import OnStage
from frcnn_cli.config import InputConfig, ModelConfig, Precision, ProposalConfig
from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import CheckpointError, ConfigError, importing
from frcnn_cli.model.batch import Preprocessing
from frcnn_cli.model.build import build_backbone
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput
from frcnn_cli.records import Calibration

_SCHEMA = "frcnn.onnx/1"
_PIXELS = Preprocessing((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
_Run = Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], Sequence[Any]]


class OnnxInference:
    """Runs inference, as `Inference` does.

    Attributes:
        runtime: "openvino" or "onnxruntime".
        model: a network without weights, with which the output is decoded.
        classes: names of the labels 1..K.
        config: what was exported.
        input: the size of the images that it expects.
        calibration: of the scores of voted detections; None leaves scores as they are.
        tiles: side of the windows in which it was trained; 0: none.
        dtype: type that it computes in.
        device: the CPU.

    Args:
        path: an ONNX file of `frcnn export`, without NMS.
        runtime: "openvino" or "onnxruntime"; "": OpenVINO, if it is installed.
        precision: "bfloat16" lets OpenVINO compute in it where the CPU does, RoI pooling included:
            probabilities differ by up to 0.25.

    Raises:
        CheckpointError: the file is missing, damaged or not from `frcnn export`.
        ConfigError: onnxruntime is not installed.
    """

    device = torch.device("cpu")

    def __init__(self, path: Path, runtime: str = "", precision: Precision = "auto") -> None:
        self.runtime = runtime or ("openvino" if find_spec("openvino") else "onnxruntime")
        open_file = _open_openvino if self.runtime == "openvino" else _open_onnxruntime
        try:
            metadata, self._run, self.dtype = open_file(path, precision)
            if metadata.get("schema") != _SCHEMA or "nms" in metadata:
                raise CheckpointError(
                    "was not exported for detection" if metadata else "has no metadata",
                    remedy="name a file of frcnn export without --with-nms",
                    file=path,
                )
            self.classes = tuple(decode_json(metadata["classes"].encode(), list[str]))
            self.input = InputConfig(int(metadata["short_side"]), int(metadata["long_side"]))
            self.config = ModelConfig(metadata["backbone"], pool=metadata["pool"])  # type: ignore[arg-type]
            self.calibration = (
                decode_json(metadata["calibration"].encode(), Calibration)
                if "calibration" in metadata
                else None
            )
            self.tiles = ProposalConfig(tiles=decode_json(metadata.get("tiles", "0"))).tiles
        except (KeyError, ValueError, ConfigError) as error:
            raise CheckpointError(
                f"has unusable metadata ({error})", remedy="export it again", file=path
            ) from error
        self.model = _without_weights(self.config, len(self.classes))

    def __call__(
        self, images: Sequence[Tensor], rois: Sequence[Tensor], on_stage: OnStage = lambda _: None
    ) -> RegionOutput:
        """Returns what `FastRCNN.forward` returns, of boxes inside the image.

        Args:
            images: B of (1, 3, H, W) float32, RGB in 0..255.
            rois: B of (R_i, 4), xyxy in pixels of their image.
            on_stage: called after each image with "head".

        Raises:
            ConfigError: an image is larger than those that the file is for.
        """
        logits, deltas = [], []
        for image, boxes in zip(images, rois, strict=True):
            if max(image.shape) > self.input.long_side:
                raise ConfigError(
                    f"the exported network takes images of at most {self.input.long_side} pixels",
                    remedy="leave out --scales, or use the checkpoint",
                )
            scores, found = np.zeros((0, len(self.classes) + 1)), np.zeros((0, 1, 4))
            if len(boxes):
                scores, found = self._run(image.numpy(), boxes.numpy())[:2]
            corners = torch.from_numpy(np.array(found, np.float32))
            corners[..., 2:] = torch.maximum(corners[..., 2:], corners[..., :2] + _SPECK)
            logits.append(torch.from_numpy(np.array(scores, np.float32)).log())
            deltas.append(box_ops.encode(boxes[:, None].expand(corners.shape), corners))
            on_stage("head")
        return RegionOutput(torch.cat(logits), torch.cat(deltas))


_SPECK = 1e-3
"""Pixels of the side of a box that was clipped to nothing; such a box is dropped later."""


def _without_weights(config: ModelConfig, classes: int) -> FastRCNN:
    """Returns a network that takes pixels as they are."""
    with torch.device("meta"):
        model = FastRCNN(build_backbone(config), classes, config.pool)
    model.backbone.spec = replace(model.backbone.spec, preprocessing=_PIXELS, stride=1)
    return model


def _open_onnxruntime(path: Path, _: Precision) -> tuple[Mapping[str, str], _Run, torch.dtype]:
    with importing("an ONNX file needs onnxruntime", remedy="pip install 'frcnn-cli[onnx]'"):
        import onnxruntime  # noqa: PLC0415  optional
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # it has a dozen of its own
        raise _unreadable(path, error) from error
    metadata = session.get_modelmeta().custom_metadata_map

    def run(image: npt.NDArray[np.float32], rois: npt.NDArray[np.float32]) -> Sequence[Any]:
        found: Sequence[Any] = session.run(None, {"image": image, "rois": rois})
        return found

    return metadata, run, torch.float32


def _open_openvino(path: Path, precision: Precision) -> tuple[Mapping[str, str], _Run, torch.dtype]:
    import openvino  # noqa: PLC0415  optional

    settings: dict[str, Any] = {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    if precision != "bfloat16":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    try:
        model = openvino.Core().read_model(path)
        compiled = openvino.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        raise _unreadable(path, error) from error
    is_described = model.has_rt_info("framework")
    metadata = model.get_rt_info("framework").value if is_described else {}
    kind = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()

    def run(image: npt.NDArray[np.float32], rois: npt.NDArray[np.float32]) -> Sequence[Any]:
        found = compiled({"image": image, "rois": rois})
        return [found[output] for output in compiled.outputs]

    return metadata, run, torch.bfloat16 if kind == "bf16" else torch.float32


def _unreadable(path: Path, error: Exception) -> CheckpointError:
    if not path.exists():
        return CheckpointError("there is no such file", remedy="check the path", file=path)
    return CheckpointError(
        f"cannot be read as ONNX ({str(error)[:200]})", remedy="export it again", file=path
    )
