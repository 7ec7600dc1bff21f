"""The form that is exported computes what the network computes, without any ONNX."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from frcnn_cli.boxes import clip, decode
from frcnn_cli.config import ModelConfig
from frcnn_cli.deploy.onnx_graph import OnnxForm, exact_roi_pool
from frcnn_cli.model.batch import prepare
from frcnn_cli.model.build import build_model
from frcnn_cli.model.roi_pool import roi_pool


@settings(max_examples=60)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([1, 3, 7]),
    st.lists(st.tuples(*[st.floats(-40, 1200)] * 4), min_size=1, max_size=8),
    st.integers(0, 99),
)
def test_pooling_takes_the_same_cells(height, width, size, corners, seed):
    features = torch.randn(1, 2, height, width, generator=torch.Generator().manual_seed(seed))
    rois = torch.tensor(corners)
    levels = (70 // size + 2).bit_length()
    ours = exact_roi_pool(features, rois, size, 1 / 16, levels)
    reference = roi_pool(features, torch.nn.functional.pad(rois, (1, 0)), size, 1 / 16)
    torch.testing.assert_close(ours, reference, rtol=0, atol=0)


def test_lengths_at_which_float32_is_off_by_a_cell():
    """57 cells in 7 bins, where ONNX's MaxRoiPool and torchvision are not exact."""
    features = torch.arange(57.0 * 57).view(1, 1, 57, 57)
    for length in range(1, 58):
        rois = torch.tensor([[0.0, 0, 16 * (length - 1), 16 * (length - 1)]])
        ours = exact_roi_pool(features, rois, 7, 1 / 16, 5)
        reference = roi_pool(features, torch.nn.functional.pad(rois, (1, 0)), 7, 1 / 16)
        torch.testing.assert_close(ours, reference, rtol=0, atol=0)


@pytest.mark.parametrize("pool", ["roi_pool", "roi_align"])
def test_the_form_equals_the_network(pool):
    model = build_model(ModelConfig(pool=pool), 3).eval()
    model.delta_mean.uniform_(-0.1, 0.1)
    model.delta_std.uniform_(0.1, 0.3)
    spec = model.backbone.spec
    image = torch.rand(1, 3, 150, 131) * 255
    rois = torch.tensor([[0.0, 0, 131, 150], [5.2, 9.9, 40.3, 22.0], [90, 100, 91, 149]])
    with torch.inference_mode():
        scores, boxes = OnnxForm(model, 160)(image, rois)
        output = model([prepare(image[0], spec.preprocessing, spec.stride)], [rois])
        deltas = output.deltas * model.delta_std + model.delta_mean
        expected = clip(decode(rois[:, None].expand(3, 4, 4), deltas), 131, 150)
    torch.testing.assert_close(scores, output.class_logits.softmax(1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(boxes, expected, rtol=1e-4, atol=1e-3)
