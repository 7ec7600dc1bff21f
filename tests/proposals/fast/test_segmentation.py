"""Label maps are OpenCV's, pixel for pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from frcnn_cli.proposals.fast.numba_kernels.memory import Memory
from frcnn_cli.proposals.fast.segmentation import Scale, segment
from frcnn_cli.proposals.fast.segmentation.edges import build_graph
from support.images import patterned

pytestmark = pytest.mark.slow  # the first call compiles


@pytest.mark.parametrize("kind", ["noise", "two colours", "smooth"])
def test_label_maps_are_opencvs(kind):
    image = patterned(kind, 90, 120)
    graph = build_graph(image, 0.8, Memory())
    for k, size in ((50, 50), (150, 100), (450, 30)):
        (ours,) = segment(graph, [Scale(k, size)])
        reference = cv2.ximgproc.segmentation.createGraphSegmentation(0.8, float(k), size)
        np.testing.assert_array_equal(ours.labels, reference.processImage(image))


def test_scales_in_one_sweep_equal_scales_alone():
    graph = build_graph(patterned("two colours", 70, 90), 0.8, Memory())
    scales = [Scale(150, 100), Scale(300, 50), Scale(450, 20)]
    for scale, together in zip(scales, segment(graph, scales), strict=True):
        (alone,) = segment(graph, [scale])
        np.testing.assert_array_equal(together.labels, alone.labels)
