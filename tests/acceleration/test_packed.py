"""Packed layers against torch's own, and the CPUs that have them."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from frcnn_cli.acceleration.packed import can_pack, pack
from frcnn_cli.model.backbones.conv_unit import ConvUnit

CPU = torch.device("cpu")


def require(dtype: torch.dtype) -> None:
    if not can_pack(CPU, dtype):
        pytest.skip(f"oneDNN has no packed layers of {dtype} on this CPU")


class Operators:
    """torch.ops.mkldnn on a CPU with AVX2 alone."""

    _convolution_pointwise = _reorder_convolution_weight = None

    @staticmethod
    def _is_mkldnn_bf16_supported() -> bool:
        return False

    _is_mkldnn_fp16_supported = _is_mkldnn_bf16_supported


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")
def test_the_type_must_be_one_of_this_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", Operators)
    assert can_pack(CPU, torch.float32)
    assert not can_pack(CPU, torch.bfloat16)
    assert not can_pack(CPU, torch.float16)
    monkeypatch.setattr(Operators, "_is_mkldnn_bf16_supported", lambda: True)
    assert can_pack(CPU, torch.bfloat16)
    assert not can_pack(CPU, torch.float16)
    assert not can_pack(torch.device("cuda"), torch.bfloat16)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
def test_a_packed_convolution_equals_torchs(
    dtype: torch.dtype, kernel: int, activation: str
) -> None:
    """With "SAME" padding of stride 2, where one side gets a row of zeros more."""
    require(dtype)
    total = kernel - 2
    conv = ConvUnit(
        8, 8, kernel, 2, edges=(total // 2, total - total // 2), groups=8, activation=activation
    )
    conv = conv.to(dtype, memory_format=torch.channels_last).requires_grad_(False)
    for size in ((16, 24), (32, 20)):  # the second is not the size that it was packed for
        x = (3 * torch.randn(1, 8, *size)).to(dtype, memory_format=torch.channels_last)
        expected, packed = conv(x), pack(copy.deepcopy(conv))
        packed(x[:, :, :8, :8].contiguous(memory_format=torch.channels_last))
        tolerance = 1e-5 if dtype == torch.float32 else 0.05
        torch.testing.assert_close(packed(x), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_halving_by_integers_has_the_same_bits(size: tuple[int, int]) -> None:
    require(torch.bfloat16)
    layers = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    layers = layers.bfloat16().requires_grad_(False)
    x = torch.randn(1, 3, *size).bfloat16().contiguous(memory_format=torch.channels_last)
    before = layers[:2](x)
    packed = pack(copy.deepcopy(layers))
    assert torch.equal(packed[2](before), layers[2](before))
    assert torch.equal(packed(x), layers(x))


def test_pooling_before_an_activation_stays_torchs() -> None:
    """Bits of negative numbers are not ordered as they are."""
    require(torch.float32)
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.MaxPool2d(2)).requires_grad_(False)
    x = torch.randn(1, 3, 4, 4)
    torch.testing.assert_close(pack(copy.deepcopy(layers))(x), layers(x))
    assert isinstance(pack(layers)[1], nn.MaxPool2d)
