"""Export of a checkpoint as an ONNX file, which must compute what the network does."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.config import DetectConfig
from frcnn_cli.deploy.onnx_graph import OnnxForm
from frcnn_cli.deploy.onnx_nms import add_nms
from frcnn_cli.detection.detector import load_model
from frcnn_cli.errors import ConfigError, importing
from frcnn_cli.files import write_file
from frcnn_cli.model.batch import Preprocessing

SCHEMA = "frcnn.onnx/1"
OPSET = 18
SCORE_BOUND = 1e-3
"""Largest accepted difference of a probability."""
BOX_BOUND = 0.1
"""Largest accepted difference of a box's edge, in pixels."""

_INSTALL = "pip install 'frcnn-cli[onnx]'"


@dataclass(frozen=True)
class OnnxExport:
    """An exported file, and how far it is from the network that it was made from.

    Attributes:
        file: the ONNX file.
        bytes: its size.
        score_difference: largest difference of a probability.
        box_difference: largest difference of a box's edge, in pixels.
    """

    file: Path
    bytes: int
    score_difference: float
    box_difference: float


def require_export(file: Path) -> None:
    """Raises if an export to `file` cannot work, before the work.

    Raises:
        ConfigError: a package is missing, or `file` is a folder.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        _import(package)
    if file.is_dir():
        raise ConfigError("is a folder", remedy="name a file such as model.onnx", file=file)


def export_onnx(checkpoint: Path, file: Path, nms: DetectConfig | None = None) -> OnnxExport:
    """Writes the network of a checkpoint as ONNX, if onnxruntime computes the same from it.

    Args:
        checkpoint: the detector.
        file: to write.
        nms: thresholds with which the outputs become detections; None: they stay as they are.

    Raises:
        CheckpointError: the checkpoint is missing or damaged.
        ConfigError: a package is missing, the result differs, or the file cannot be written.
    """
    require_export(file)
    model, info = load_model(checkpoint)
    form = OnnxForm(model.eval(), info.input.long_side).eval()
    translated = _described(_translate(form), form, info)
    content = translated.SerializeToString()
    scores, boxes = _differences(form, content, info)
    if not (scores <= SCORE_BOUND and boxes <= BOX_BOUND):
        raise ConfigError(
            f"onnxruntime's result differs by {scores:.2g} in a score and {boxes:.2g} pixels in a "
            "box",
            remedy="use other versions of onnx and onnxruntime",
            file=file,
        )
    if nms is not None:
        add_nms(translated, len(info.classes), info.input.long_side, nms)
        translated.metadata_props.add(key="nms", value=json.dumps(asdict(nms)))
        content = translated.SerializeToString()
        _import("onnxruntime").InferenceSession(content, providers=["CPUExecutionProvider"])
    write_file(file, content)
    return OnnxExport(file, len(content), scores, boxes)


def _translate(form: OnnxForm) -> Any:
    """Returns the ONNX model, for images of any size and any number of RoIs."""
    image, rois = _example(160, 192, 5, seed=0)
    dimension = torch.export.Dim
    with _quiet():
        program = torch.onnx.export(
            form,
            (image, rois),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["image", "rois"],
            output_names=["scores", "boxes"],
            dynamic_shapes={
                "image": {
                    2: dimension("height", min=32, max=1 << 14),
                    3: dimension("width", min=32, max=1 << 14),
                },
                "rois": {0: dimension("regions", min=2, max=1 << 20)},
            },
        )
    assert program is not None
    return program.model_proto


def _described(model: Any, form: OnnxForm, info: CheckpointInfo) -> Any:
    spec = form.model.backbone.spec
    properties = {
        "schema": SCHEMA,
        "classes": json.dumps(info.classes),
        "backbone": info.model.backbone,
        "pool": info.model.pool,
        "short_side": str(info.input.short_side),
        "long_side": str(info.input.long_side),
        "preprocessing": json.dumps(_preprocessing_json(spec.preprocessing)),
    }
    if info.calibration is not None:
        properties["calibration"] = json.dumps(asdict(info.calibration))
    if info.tiles:
        properties["tiles"] = str(info.tiles)
    _import("onnx").helper.set_model_props(model, properties)
    model.producer_name = "frcnn"
    return model


def _preprocessing_json(preprocessing: Preprocessing) -> dict[str, Any]:
    return {
        "inside the graph": True,
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "channels": "BGR" if preprocessing.bgr else "RGB",
    }


def _differences(form: OnnxForm, content: bytes, info: CheckpointInfo) -> tuple[float, float]:
    """Returns how far onnxruntime is from torch, in probabilities and in pixels."""
    session = _import("onnxruntime").InferenceSession(content, providers=["CPUExecutionProvider"])
    short, long = info.input.short_side, info.input.long_side
    scores = boxes = 0.0
    for i, (height, width, regions) in enumerate(((short, long, 40), (long, short + 5, 1))):
        image, rois = _example(height, width, regions, seed=i)
        with torch.inference_mode():
            ours = form(image, rois)
        theirs = session.run(None, {"image": image.numpy(), "rois": rois.numpy()})
        gaps = [
            float(np.abs(a.numpy() - b).max(initial=0)) for a, b in zip(ours, theirs, strict=True)
        ]
        scores, boxes = max(scores, gaps[0]), max(boxes, gaps[1])
    return scores, boxes


def _example(height: int, width: int, regions: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns a smooth picture and RoIs in it, some of them as thin as a cell."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 12, 12, generator=generator) * 255
    image = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    ends = torch.rand(regions, 2, 2, generator=generator) * torch.tensor([width, height])
    first, last = ends.amin(dim=1), ends.amax(dim=1)
    return image, torch.cat((first, torch.maximum(last, first + 1)), dim=1)


def _import(package: str) -> Any:
    with importing(f"exporting needs {package}", remedy=_INSTALL):
        return importlib.import_module(package)


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppresses warnings about changes of torch, which a user cannot act on."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
