"""The poolings of a GPU against the model's: the same numbers, cells and gradients, bit for bit."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
import torch
from torch import Tensor

from frcnn_cli.acceleration import roi_pool
from frcnn_cli.model.roi_pool import bin_maxima_by_crops, cell_corners, sum_into_cells
from support import tiny
from support.pretend_gpu import PretendGPU
from support.rois import random_rois

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The Triton kernels, interpreted on the CPU."""
    pytest.importorskip("triton")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    name = "frcnn_cli.acceleration.roi_pool_triton"
    sys.modules.pop(name, None)
    yield importlib.import_module(name)
    del sys.modules[name]


def scene(
    dtype: torch.dtype, rois: int, height: int = 9, width: int = 13
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns a map (2, 5, H, W) with many equal numbers and signed zeros, and RoIs on it."""
    generator = torch.Generator().manual_seed(0)
    features = (torch.randn(2, 5, height, width, generator=generator) * 4).round() / 4
    boxes = random_rois(rois, width * 16, height * 16, batch=2)
    # The whole map, nothing of it, a cell, and corners in the wrong order.
    whole = [0, 0, 0, width * 16 - 1, height * 16 - 1]
    odd = [whole, [1, 900, 900, 950, 950], [1, 16, 16, 16, 16], [0, 60, 60, 10, 10]]
    boxes = torch.cat((torch.tensor(odd).float(), boxes))
    return features.to(dtype), boxes[:, 0].long(), cell_corners(boxes[:, 1:], 1 / 16)


@pytest.mark.parametrize("dtype", DTYPES)
def test_triton_computes_the_bits_of_the_model(kernels: ModuleType, dtype: torch.dtype) -> None:
    features, images, corners = scene(dtype, 2, 3, 4)
    expected, cells = bin_maxima_by_crops(features, images, corners, 2)
    values, winners = kernels.bin_maxima(features, images, corners, 2)
    assert torch.equal(values, expected)
    assert torch.equal(winners, cells)
    grad = torch.randn(values.shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    sums = kernels.sum_into_cells(grad, winners, images, corners, list(features.shape))
    assert torch.equal(sums, sum_into_cells(grad, cells, features.shape))


@pytest.mark.slow
@pytest.mark.parametrize("capability", [75, 90])
def test_triton_compiles_for_gpus(capability: int) -> None:
    """Without one: to its machine code."""
    triton = pytest.importorskip("triton")
    compiler = importlib.import_module("triton.backends.compiler")
    kernels = importlib.import_module("frcnn_cli.acceleration.roi_pool_triton")
    numbers = dict.fromkeys(("nowhere", "rois", "height", "width", "channels"), "i32")
    floats = dict.fromkeys(("cells", "values", "grads"), "*bf16") | {"sums": "*fp32"}
    indices = {"images": "*i32", "corners": "*i32", "winners": "*i64"}
    constants = {"size": 7, "block": 128}
    types = numbers | floats | indices | dict.fromkeys(constants, "constexpr")
    for kernel in (kernels.bin_maxima_kernel, kernels.sum_into_cells_kernel):
        signature = {name: types[name] for name in kernel.arg_names}
        source = triton.compiler.ASTSource(kernel, signature, constants)
        made = triton.compile(source, target=compiler.GPUTarget("cuda", capability, 32))
        assert made.asm["cubin"]


def test_triton_pools_no_rois(kernels: ModuleType) -> None:
    features, images, corners = scene(torch.float32, 0)
    values, winners = kernels.bin_maxima(features, images[:0], corners[:0], 7)
    sums = kernels.sum_into_cells(values, winners, images[:0], corners[:0], list(features.shape))
    assert values.shape == (0, 5, 7, 7)
    assert not sums.any()


@pytest.mark.parametrize("size", [1, 6, 7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tables_compute_the_bits_of_the_model(dtype: torch.dtype, size: int) -> None:
    features, images, corners = scene(dtype, 150)
    for maps in (features, features.clamp(min=0), -features.abs()):
        expected = bin_maxima_by_crops(maps, images, corners, size)
        found = roi_pool.bin_maxima_by_tables(maps, images, corners, size)
        assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))


@pytest.mark.parametrize("pool", ["roi_pool", "roi_align"])
def test_a_model_is_pooled_as_it_pools_itself(pool: str, pretend_gpu: PretendGPU) -> None:
    model = tiny.model()
    model.pool = pool
    batch = tiny.batch()
    features = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    results = []
    for device, pooled in (
        ("cpu", model.pooled),
        ("cpu", lambda *args: roi_pool.pooled(model, *args)),
        ("cuda", lambda *args: roi_pool.pooled(model, *args)),
    ):
        maps = features.clone().to(device).requires_grad_()
        pretend_gpu.reset()
        values = pooled(maps, batch.rois[0].to(device))
        values.square().sum().backward()
        results.append((values.detach().cpu(), maps.grad.cpu()))
    for values, grad in results[1:]:
        assert torch.equal(values, results[0][0])
        assert torch.equal(grad, results[0][1])
    if pool == "roi_pool":
        names = pretend_gpu.total.operations
        assert (names["roi_pool"], names["roi_pool_backward"]) == (1, 1)
        own = {"copy to GPU": 1, "copy to CPU": 2}
        assert pretend_gpu.total.waits == own, "the test's copies"


def test_the_operations_are_what_they_are_registered_as() -> None:
    """Shapes, aliases, gradient: `torch.compile` and fake tensors rely on it."""
    features, images, corners = scene(torch.float32, 6)
    maps = features.requires_grad_()
    utils = ("test_schema", "test_faketensor", "test_autograd_registration")
    operation = torch.ops.frcnn.roi_pool.default
    torch.library.opcheck(operation, (maps, images, corners, 3), test_utils=utils)
    values, winners = bin_maxima_by_crops(features.detach(), images, corners, 3)
    arguments = (values, winners, images, corners, list(features.shape))
    operation = torch.ops.frcnn.roi_pool_backward.default
    torch.library.opcheck(operation, arguments, test_utils=utils[:2])


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gpu_computes_the_bits_of_the_cpu(dtype: torch.dtype) -> None:
    features, images, corners = scene(dtype, 150)
    results = []
    for device in ("cpu", "cuda"):
        maps = features.to(device).requires_grad_()
        moved = images.to(device), corners.to(device)
        values, cells = torch.ops.frcnn.roi_pool(maps, *moved, 7)
        torch.cuda.set_sync_debug_mode("error")
        values.square().sum().backward()
        torch.cuda.set_sync_debug_mode("default")
        results.append([t.detach().cpu() for t in (values, cells, maps.grad)])
    assert all(torch.equal(*pair) for pair in zip(*results, strict=True))
