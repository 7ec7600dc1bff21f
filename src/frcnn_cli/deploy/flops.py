"""Floating-point operations of a network, and the peak rate of the device."""

from __future__ import annotations

import copy
import time

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from frcnn_cli.model.fast_rcnn import FastRCNN

_SIDE = 2048
_ATTEMPTS = 7


def network_flops(model: FastRCNN, width: int, height: int, regions: int) -> int:
    """Returns the floating-point operations of an image: two per multiplication with its addition.

    Convolutions and matrix products are counted, without sharing between RoIs.

    Args:
        model: not packed; its weights are not used.
        width: of the image as the network takes it, in pixels.
        height: in pixels.
        regions: R.
    """
    spec = model.backbone.spec
    shapes = copy.deepcopy(model).to("meta").eval()
    padded = [-(-side // spec.stride) * spec.stride for side in (height, width)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        shapes.backbone.trunk(torch.empty(1, 3, *padded, device="meta"))
        pooled = (regions, spec.channels, spec.pool_size, spec.pool_size)
        shapes.regions(torch.empty(pooled, device="meta"))
    return int(counter.get_total_flops())


def matrix_peak(dtype: torch.dtype, device: torch.device) -> float:
    """Returns the highest FLOP/s measured for matrix products of 2048³."""
    a, b = (torch.randn(_SIDE, _SIDE, device=device).to(dtype) for _ in range(2))
    # On a GPU a single product takes no longer than its launch and the wait for it.
    products = 1 if device.type == "cpu" else 50
    seconds = []
    for _ in range(_ATTEMPTS):
        began = time.perf_counter()
        for _ in range(products):
            product = F.linear(a, b)
        product[0, 0].item()  # waits for a GPU
        seconds.append((time.perf_counter() - began) / products)
    return 2 * _SIDE**3 / min(seconds)
