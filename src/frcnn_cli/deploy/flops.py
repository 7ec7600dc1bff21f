"""How much arithmetic a network is, and how fast the device could do it."""

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
    """Returns the floating-point operations of a photograph: two a multiplication with its sum.

    Convolutions and matrix products are counted, every region as if it were the only one.

    Args:
        model: not packed; its weights are not looked at.
        width: pixels of the photograph as the network sees it.
        height: the same downwards.
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
    """Returns the most FLOP/s that matrix products of 2048³ were seen to reach."""
    a, b = (torch.randn(_SIDE, _SIDE, device=device).to(dtype) for _ in range(2))
    # A GPU is so fast that to start one and wait for it takes as long.
    products = 1 if device.type == "cpu" else 50
    seconds = []
    for _ in range(_ATTEMPTS):
        began = time.perf_counter()
        for _ in range(products):
            product = F.linear(a, b)
        product[0, 0].item()  # waits for a GPU
        seconds.append((time.perf_counter() - began) / products)
    return 2 * _SIDE**3 / min(seconds)
