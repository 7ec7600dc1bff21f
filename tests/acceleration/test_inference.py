"""Faster inference gives the same: detection's network against the one that is trained."""

from __future__ import annotations

import copy
from itertools import product

import pytest
import torch
from torch import Tensor

from frcnn_cli.acceleration import inference
from frcnn_cli.acceleration.inference import Inference, compute_dtype
from frcnn_cli.config import BackboneName, ModelConfig, SpeedConfig
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN, RegionOutput

CPU = torch.device("cpu")
PLAIN = SpeedConfig(precision="float32", distinct_rois=False, fused=False)


def inputs(stride: int = 16, seed: int = 0) -> tuple[Tensor, Tensor]:
    """An image of 160 × 112 pixels, and RoIs in it, across its edges, and of every odd kind."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(1, 3, 7 * stride, 10 * stride, generator=generator)
    size = torch.tensor([10.0 * stride, 7.0 * stride])
    corners = torch.rand(40, 2, 2, generator=generator) * (size + 60) - 30
    boxes = torch.cat((corners.amin(1), corners.amax(1)), dim=1)
    odd = torch.tensor(
        [
            [0.0, 0, 160, 112],  # the whole map
            [-1000, -1000, 2000, 2000],  # far more than it
            [200, 150, 300, 220],  # outside, to the right and below
            [-300, -300, -200, -200],  # outside, to the left and above
            [20, 20, 24, 24],  # one cell
            [20, 20, 20, 20],  # nothing
            [0, 50, 160, 51],  # a row of cells
        ]
    )
    # Neighbours by a pixel cover the same cells.
    return image, torch.cat((boxes, boxes[:10] + 1, boxes[:10], odd))


def outputs(model: FastRCNN, speed: SpeedConfig) -> RegionOutput:
    image, rois = inputs()
    return Inference(copy.deepcopy(model), speed)([image, image], [rois, rois[:5]])


def reference(model: FastRCNN) -> RegionOutput:
    image, rois = inputs()
    with torch.inference_mode():
        return model.eval()([image, image], [rois, rois[:5]])


def livelier(model: FastRCNN) -> FastRCNN:
    """Random networks give nearly equal scores; differences would not show."""
    with torch.no_grad():
        for layer in (model.class_score, model.box_delta):
            layer.weight.mul_(20)
    return model


@pytest.mark.parametrize(
    "backbone",
    [
        "efficientnet_lite0",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("resnet50", "alexnet")),
    ],
)
@pytest.mark.parametrize("pool", ["roi_pool", "roi_align"])
def test_every_switch_leaves_the_function_as_it_is(backbone: BackboneName, pool: str) -> None:
    model = livelier(build_model(ModelConfig(backbone=backbone, pool=pool), 3))
    expected = reference(model)
    for distinct, fused in product((False, True), repeat=2):
        speed = SpeedConfig("float32", distinct, fused)
        found = outputs(model, speed)
        torch.testing.assert_close(found.class_logits, expected.class_logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.deltas, expected.deltas, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_within_its_rounding() -> None:
    """8 bits of mantissa: 2⁻⁸ a rounding, some twenty layers deep, as probabilities."""
    model = livelier(build_model(ModelConfig(), 3))
    expected = reference(model).class_logits.softmax(1)
    found = outputs(model, SpeedConfig("bfloat16")).class_logits.softmax(1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0.03)


def test_rois_of_the_same_cells_get_the_same_bits() -> None:
    model = livelier(build_model(ModelConfig(), 3))
    once = outputs(model, SpeedConfig("float32", distinct_rois=True))
    each = outputs(model, SpeedConfig("float32", distinct_rois=False))
    torch.testing.assert_close(once.class_logits, each.class_logits, rtol=1e-5, atol=1e-6)
    assert torch.equal(once.class_logits[50:60], once.class_logits[:10])


def test_few_rois_at_a_time_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    model = livelier(build_model(ModelConfig(), 3))
    whole = outputs(model, PLAIN)
    monkeypatch.setitem(inference.POOLED_BYTES, "cpu", 1)
    monkeypatch.setattr(inference, "ROWS", 4)
    torch.testing.assert_close(
        outputs(model, PLAIN).class_logits, whole.class_logits, rtol=1e-5, atol=1e-6
    )
    network = Inference(model, SpeedConfig())
    output = network([inputs()[0]], [torch.zeros(0, 4)])
    assert output.class_logits.shape == (0, 4)
    assert output.deltas.shape == (0, 4, 4)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bits_where_onednn_lacks_them(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a CPU with AVX2 alone answers: layers stay torch's own, slower and right."""
    for name in ("bf16", "fp16"):
        monkeypatch.setattr(torch.ops.mkldnn, f"_is_mkldnn_{name}_supported", lambda: False)
    monkeypatch.setattr(inference, "pack", None)  # raises if it is called
    model = livelier(build_model(ModelConfig(), 3))
    expected = reference(model).class_logits.softmax(1)
    found = outputs(model, SpeedConfig(dtype)).class_logits.softmax(1)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.03)


def test_auto_is_never_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    assert compute_dtype("auto", CPU) == torch.float32
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    has_onednn = torch.backends.mkldnn.is_available()
    assert compute_dtype("auto", CPU) == (torch.bfloat16 if has_onednn else torch.float32)
    assert compute_dtype("float16", CPU) == torch.float16
