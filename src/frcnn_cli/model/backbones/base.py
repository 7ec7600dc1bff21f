"""A backbone: the trunk over the image, the head over each RoI, and the facts about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from frcnn_cli.errors import ConfigError
from frcnn_cli.model.batch import Preprocessing

StateDict = Mapping[str, Tensor]


@dataclass(frozen=True)
class BackboneSpec:
    """The facts about a backbone that the rest of the model needs.

    Attributes:
        channels: C of the feature map.
        pool_size: P, bins per side of RoI pooling.
        head_features: D of the vector that the head computes per RoI.
        finetune_from: the first layer trained by default (§4.5).
        preprocessing: of its ImageNet weights.
        convert: maps its ImageNet weights, as published, to this project's names.
        stride: pixels per feature cell.
        offset: pixels from (i + 0.5) · stride to the center of what cell i sees.
    """

    channels: int
    pool_size: int
    head_features: int
    finetune_from: str
    preprocessing: Preprocessing
    convert: Callable[[StateDict], dict[str, Tensor]]
    stride: int = 16
    offset: float = 0.0


class Backbone(nn.Module):
    """A trunk `(B, 3, H, W) → (B, C, H/stride, W/stride)` and a head `(R, C, P, P) → (R, D)`.

    Both are sequences of named layers in the order of the network, as `--finetune-from` takes them.

    Args:
        spec: the facts about it.
        trunk: (B, 3, H, W) → (B, C, H/stride, W/stride).
        head: (R, C, P, P) → (R, D).
    """

    def __init__(self, spec: BackboneSpec, trunk: nn.Sequential, head: nn.Sequential) -> None:
        super().__init__()
        self.spec = spec
        self.trunk = trunk
        self.head = head

    def layers(self) -> dict[str, nn.Module]:
        """Returns the layers with weights, first to last."""
        named = [*self.trunk.named_children(), *self.head.named_children()]
        return {name: layer for name, layer in named if any(True for _ in layer.parameters())}

    def freeze_below(self, name: str) -> None:
        """Freezes every layer before `name`; "" is the default, "all" freezes nothing.

        Raises:
            ConfigError: there is no such layer.
        """
        layers = self.layers()
        first = name or self.spec.finetune_from
        if first != "all" and first not in layers:
            raise ConfigError(
                f"finetune_from is {first!r}", remedy=f"use all or one of {', '.join(layers)}"
            )
        trained = first == "all"
        for layer_name, layer in layers.items():
            trained = trained or layer_name == first
            layer.requires_grad_(trained)
