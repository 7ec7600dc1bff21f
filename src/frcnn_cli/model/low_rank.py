"""Truncated SVD of the fully connected layers (Fast R-CNN §3.1): W ≈ U Σₜ Vᵀ as two layers.

The first, Σₜ Vᵀ, has no bias; the second is U with the bias of W. A layer of u × v weights becomes
one of t (u + v).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from frcnn_cli.errors import ConfigError
from frcnn_cli.model.backbones.base import Backbone, StateDict

LAYERS = ("fc6", "fc7")
"""The layers that can be split."""


def split_head(backbone: Backbone, ranks: Mapping[str, int]) -> None:
    """Gives a head the shape of a compressed one; the new layers' weights are random.

    Args:
        backbone: changed in place.
        ranks: t per layer to split, such as {"fc6": 1024}; 0 leaves a layer whole.

    Raises:
        ConfigError: there is no such layer, or it has no such rank.
    """
    for name, rank in ranks.items():
        if rank:
            layer = fully_connected(backbone, name)
            require_rank(name, rank, min(layer.weight.shape))
            first = nn.Linear(layer.in_features, rank, bias=False)
            backbone.head.set_submodule(
                name, nn.Sequential(first, nn.Linear(rank, layer.out_features))
            )


def fully_connected(backbone: Backbone, name: str) -> nn.Linear:
    """Returns the fully connected layer `name` of a head.

    Raises:
        ConfigError: there is none.
    """
    layer = dict(backbone.head.named_children()).get(name)
    if isinstance(layer, nn.Linear):
        return layer
    raise ConfigError(
        f"the head has no fully connected layer {name}",
        remedy="compress a detector of a backbone with fc6 and fc7",
    )


def joined(tensors: StateDict) -> dict[str, Tensor]:
    """Returns a checkpoint's tensors with the two layers of each split one multiplied out."""
    whole = dict(tensors)
    for layer in LAYERS:
        parts = [f"backbone.head.{layer}.{part}" for part in ("0.weight", "1.weight", "1.bias")]
        if whole.keys() >= set(parts):
            first, second, bias = (whole.pop(part) for part in parts)
            whole[f"backbone.head.{layer}.weight"] = second.float() @ first.float()
            whole[f"backbone.head.{layer}.bias"] = bias
    return whole


def require_rank(name: str, rank: int, most: int) -> None:
    """Raises if a layer cannot be truncated to `rank`.

    Args:
        name: of the layer, for the message.
        rank: t, wanted in 1..most.
        most: how many singular values it has.

    Raises:
        ConfigError: it has fewer singular values.
    """
    if not 1 <= rank <= most:
        raise ConfigError(f"{name} to rank {rank}", remedy=f"use a rank from 1 to {most}")


def useful_rank(layer: nn.Linear, rank: int) -> int:
    """Returns `rank`, or 0 (the whole layer) where the two layers have no fewer weights."""
    return rank if rank * sum(layer.weight.shape) < layer.weight.numel() else 0


class Spectrum:
    """The singular value decomposition of a fully connected layer.

    Attributes:
        values: (min(u, v),) singular values, decreasing.
    """

    def __init__(self, layer: nn.Linear) -> None:
        weight = layer.weight.detach().double()
        # By the eigenvectors of the smaller Gram matrix: a tenth of the time of a full SVD, and
        # accurate enough in float64 for weights of 24 bits.
        wide = weight.shape[0] <= weight.shape[1]
        gram = weight @ weight.T if wide else weight.T @ weight
        squares, vectors = torch.linalg.eigh(gram)
        self.values = squares.flip(0).clamp(min=0).sqrt().float()
        self._vectors = vectors.flip(1)
        self._weight, self._wide, self._bias = weight, wide, layer.bias.detach()

    def rank_of(self, share: float) -> int:
        """Returns the smallest rank that keeps `share` (0..1) of the sum of squares."""
        kept = self.values.double().square().cumsum(0)
        return min(int((kept < share * kept[-1]).sum()) + 1, len(self.values))

    def truncated(self, rank: int) -> dict[str, Tensor]:
        """Returns the tensors of the two layers, by the names that `split_head` gives them.

        The t largest parts are the closest matrix of rank t (Eckart–Young).
        """
        kept = self._vectors[:, :rank]
        if self._wide:
            second, first = kept, kept.T @ self._weight
        else:
            second, first = self._weight @ kept, kept.T
        return {
            "0.weight": first.float().contiguous(),
            "1.weight": second.float().contiguous(),
            "1.bias": self._bias,
        }
