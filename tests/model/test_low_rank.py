"""Truncated SVD of the fully connected layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from frcnn_cli.config import ModelConfig
from frcnn_cli.errors import ConfigError
from frcnn_cli.model.build import build_model
from frcnn_cli.model.low_rank import Spectrum


@pytest.mark.parametrize(("inputs", "outputs"), [(9, 5), (5, 9)])
def test_it_is_the_closest_matrix_of_its_rank(inputs: int, outputs: int) -> None:
    layer = nn.Linear(inputs, outputs)
    u, s, vt = np.linalg.svd(layer.weight.detach().double().numpy())
    spectrum = Spectrum(layer)
    np.testing.assert_allclose(spectrum.values, s, rtol=1e-5)
    for rank in (1, 3, 5):
        parts = spectrum.truncated(rank)
        assert parts["0.weight"].shape == (rank, inputs)
        closest = (u[:, :rank] * s[:rank]) @ vt[:rank]
        np.testing.assert_allclose(parts["1.weight"] @ parts["0.weight"], closest, atol=1e-6)
        assert torch.equal(parts["1.bias"], layer.bias)


def test_the_rank_of_a_share_of_the_spectrum() -> None:
    layer = nn.Linear(3, 3)
    layer.weight.data = torch.diag(torch.tensor([3.0, 2.0, 1.0]))  # squares 9, 4, 1 of 14
    spectrum = Spectrum(layer)
    shares = {0.0: 1, 9 / 14 - 1e-9: 1, 9 / 14 + 1e-6: 2, 13 / 14 - 1e-9: 2, 0.95: 3, 1.0: 3}
    assert {share: spectrum.rank_of(share) for share in shares} == shares


def test_a_compressed_network_has_two_layers_for_one() -> None:
    whole = build_model(ModelConfig(), 2)
    small = build_model(ModelConfig(fc6_rank=16, fc7_rank=8), 2)
    state = whole.state_dict()
    for name, rank in (("fc6", 16), ("fc7", 8)):
        layer = getattr(whole.backbone.head, name)
        for key in ("weight", "bias"):
            del state[f"backbone.head.{name}.{key}"]
        for key, tensor in Spectrum(layer).truncated(rank).items():
            state[f"backbone.head.{name}.{key}"] = tensor
    small.load_state_dict(state)
    assert list(small.backbone.layers())[-2:] == ["fc6", "fc7"]


@pytest.mark.parametrize(
    "config", [ModelConfig(backbone="resnet50", fc6_rank=4), ModelConfig(fc7_rank=257)]
)
def test_a_rank_that_cannot_be_is_refused(config: ModelConfig) -> None:
    with pytest.raises(ConfigError, match=r"fc6|257"):
        build_model(config, 2)
