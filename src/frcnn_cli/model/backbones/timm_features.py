"""Any convolutional network of timm (PyTorch Image Models) as a backbone: `timm/NAME`.

Where timm can build the network with stride 16 it is used whole, its last stages dilated; else the
stages up to stride 16 are used. The head is new: two fully connected layers.

Batch norms are frozen, as in the other backbones: a step has two images, too few to estimate
statistics from. They stay layers of their own, since timm's networks wrap them in many ways.
"""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from frcnn_cli.errors import ConfigError, importing
from frcnn_cli.model.backbones.base import Backbone, BackboneSpec, StateDict
from frcnn_cli.model.backbones.layers import fc_head
from frcnn_cli.model.batch import IMAGENET_RGB, Preprocessing

PREFIX = "timm/"
_STRIDE = 16
_TRIAL = (64, 96)
_NUMBERED = re.compile(r"^(\w+?)_(\d+)\.")


class TimmBackbone(Backbone):
    """A backbone whose trunk is one network of timm; its layers are that network's stages."""

    def layers(self) -> dict[str, nn.Module]:
        """Returns the stages of the trunk and the layers of the head that have weights."""
        named = [*_stages(self.trunk[0]), *self.head.named_children()]
        return {name: layer for name, layer in named if any(True for _ in layer.parameters())}


def require(name: str) -> Any:
    """Returns timm, if it has the network `name`.

    Raises:
        ConfigError: timm is not installed, or has no such network.
    """
    needs = f"--backbone {PREFIX}{name} needs timm"
    with importing(needs, remedy="pip install 'frcnn-cli[timm]'"):
        timm = importlib.import_module("timm")
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=4)
        known = f"use {' or '.join(near)}" if near else "see timm.list_models()"
        raise ConfigError(f"timm has no network {name!r}", remedy=known)
    return timm


def build(name: str) -> Backbone:
    """Returns the network `name` of timm, such as "resnet18", with random weights.

    Raises:
        ConfigError: timm is missing, or the network has no features of stride 16, or takes images
            of one size only.
    """
    timm = require(name)
    network, channels, first = _features(timm, name)
    network = importlib.import_module("timm.utils.model").freeze_batch_norm_2d(network)
    _remove_dropout(network)
    spec = BackboneSpec(
        channels=channels,
        offset=_offset(network, name, channels),
        pool_size=3,
        head_features=256,
        finetune_from=first if first in dict(_stages(network)) else "all",
        preprocessing=_preprocessing(timm.get_pretrained_cfg(name)),
        convert=partial(_convert, tuple(network.state_dict())),
    )
    return TimmBackbone(spec, nn.Sequential(_LastMap(network)), fc_head(spec))


class _LastMap(nn.Module):
    """A features-only network of timm that returns one map instead of a list of one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.network(image)[-1]
        return features


def _features(timm: Any, name: str) -> tuple[Any, int, str]:
    """Returns a network with one map, of stride 16, its channels, and its stage of stride 8."""
    for options in ({"output_stride": _STRIDE}, {}):
        try:
            whole = timm.create_model(name, pretrained=False, features_only=True, **options)
            strides = whole.feature_info.reduction()
        except Exception:  # timm's networks refuse what they cannot do in their own ways
            continue
        found = [i for i, stride in enumerate(strides) if stride == _STRIDE]
        if found:
            index = whole.feature_info.out_indices[found[-1]]
            stages = zip(strides, whole.feature_info.module_name(), strict=True)
            first = next((module for stride, module in stages if stride == _STRIDE // 2), "")
            network = timm.create_model(
                name, pretrained=False, features_only=True, out_indices=(index,), **options
            )
            channels = int(network.feature_info.channels()[-1])
            return network, channels, first.replace(".", "_")
    raise ConfigError(
        f"timm's {name} has no features of stride {_STRIDE}",
        remedy="choose a convolutional network such as timm/resnet18",
    )


def _stages(trunk: Any) -> list[tuple[str, nn.Module]]:
    network = trunk.network if isinstance(trunk, _LastMap) else trunk
    stages: list[tuple[str, nn.Module]] = []
    for name, child in network.named_children():
        if name in {"blocks", "stages"} and isinstance(child, nn.Sequential | nn.ModuleList):
            stages += [(f"{name}_{i}", stage) for i, stage in enumerate(child)]
        else:
            stages.append((name, child))
    return stages


def _offset(network: nn.Module, name: str, channels: int) -> float:
    """Returns the offset of what a cell sees from its place, in pixels, from a trial run.

    Of each halving of the map the first layer counts, the one on the main path. With
    padding on both sides (ResNet) cells look half a cell to the left, with patches (ConvNeXt) at
    their place, with TensorFlow's padding half a cell to the right.

    Raises:
        ConfigError: the network cannot take images of any size.
    """
    shifts: dict[int, float] = {}

    def note(layer: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if not isinstance(output, Tensor) or inputs[0].ndim != 4 or output.ndim != 4:
            return
        before, after = inputs[0].shape[-1], output.shape[-1]
        if after < before and before not in shifts:
            jump = _TRIAL[1] / before
            kernel, padding, step = (
                _first(getattr(layer, key, 0)) for key in ("kernel_size", "padding", "stride")
            )
            if "Same" in type(layer).__name__:
                padding = max(kernel - step, 0) // 2
            shifts[before] = ((kernel - 1) / 2 - padding) * jump

    kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, kinds)]
    try:
        with torch.no_grad():
            shape = network.eval()(torch.zeros(1, 3, *_TRIAL))[-1].shape
    except Exception as error:  # an assertion about the size, most often
        raise ConfigError(
            f"timm's {name} does not take images of any size ({type(error).__name__})",
            remedy="choose a convolutional network such as timm/resnet18",
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        network.train()
    if tuple(shape) != (1, channels, _TRIAL[0] // _STRIDE, _TRIAL[1] // _STRIDE):
        raise ConfigError(
            f"timm's {name} gives features of shape {tuple(shape)} for an image of "
            f"{_TRIAL[1]}×{_TRIAL[0]} pixels",
            remedy="choose a convolutional network such as timm/resnet18",
        )
    # The first cell's centre is half a pixel and the shifts from the corner; its place half a cell.
    return 0.5 + sum(shifts.values()) - _STRIDE / 2


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple | list) else value)


def _preprocessing(cfg: Any) -> Preprocessing:
    if cfg is None or not cfg.mean or not cfg.std:
        return IMAGENET_RGB
    mean, std = (tuple(255 * float(value) for value in each) for each in (cfg.mean, cfg.std))
    return Preprocessing(mean, std)  # type: ignore[arg-type]


def _remove_dropout(network: nn.Module) -> None:
    """Removes timm's dropout, so that the setting of dropout is that of the head alone."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(module, name, nn.Identity())


def _convert(names: Sequence[str], source: StateDict) -> dict[str, Tensor]:
    """Maps timm's weights of the whole classifier to the trunk's names; the head is new.

    Raises:
        KeyError: a tensor is missing.
    """
    return {f"trunk.0.network.{name}": source[_published(name, source)] for name in names}


def _published(name: str, source: StateDict) -> str:
    """Returns the name that a tensor of a features-only network has in the whole one."""
    return name if name in source else _NUMBERED.sub(r"\1.\2.", name)
