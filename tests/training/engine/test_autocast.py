"""Number types and devices of a forward pass and a loss on a GPU, without computing them.

`FakeTensorMode` follows shapes, types and devices through the operations that CUDA would run, with
CUDA's own rules for autocast. torch's backward pass needs a GPU: test_gpu.py has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from frcnn_cli.config import ModelConfig
from frcnn_cli.model.backbones import vgg16
from frcnn_cli.model.batch import Batch
from frcnn_cli.model.build import build_model
from frcnn_cli.model.loss import multi_task_loss
from frcnn_cli.training.engine.forward import Forward

CUDA = torch.device("cuda", 0)
_PRODUCTS = ("convolution", "mm", "addmm")
_EXACT = ("_log_softmax", "abs")
"""Of the log loss, and of smooth L1."""


class Seen(TorchDispatchMode):
    """Collects the types of the numbers that operations take, and their devices."""

    def __init__(self) -> None:
        super().__init__()
        self.types: dict[str, set[torch.dtype]] = {}
        self.mixed: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.partition("::")[2]
        tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        floats = {each.dtype for each in tensors if each.is_floating_point()}
        self.types.setdefault(name, set()).update(floats)
        if len({each.device for each in tensors if each.dim()}) > 1 and "copy" not in name:
            self.mixed.append(name)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def fake_gpu(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    """A GPU whose tensors have no values."""
    monkeypatch.setattr("torch.cuda.amp.common.amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_, **__: True)
    monkeypatch.setattr(Tensor, "pin_memory", lambda self, *_: self)
    # A copied tensor has the same mode.
    monkeypatch.setattr(FakeTensorMode, "__deepcopy__", lambda self, _: self, raising=False)
    return FakeTensorMode()


def each_set(model: nn.Module, change: Callable[[Tensor], Tensor]) -> nn.Module:
    """Changes all parameters and buffers; torch's own way does not take tensors without values."""
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            changed = change(parameter.detach())
            setattr(module, name, nn.Parameter(changed, parameter.requires_grad))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, change(buffer))
    return model


def batch() -> Batch:
    """Two images of different sizes on the GPU, with 5 and 3 RoIs."""
    sizes, counts = ((96, 128), (128, 96)), (5, 3)
    images = tuple(torch.rand(1, 3, *size, device=CUDA) for size in sizes)
    rois = tuple(torch.rand(count, 4, device=CUDA) for count in counts)
    labels = torch.ones(sum(counts), dtype=torch.long, device=CUDA)
    return Batch(images, rois, labels, torch.rand(sum(counts), 4, device=CUDA), ("a", "b"))


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")  # to copy it
@pytest.mark.parametrize("backbone", ["vgg16", "efficientnet_lite0"])
@pytest.mark.parametrize("low", [torch.bfloat16, None])
def test_products_are_low_and_the_loss_is_exact(
    fake_gpu: FakeTensorMode,
    backbone: Any,
    low: torch.dtype | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vgg16, "_STAGES", ((4, 4), (4, 4), (8, 8, 8), (8, 8, 8), (8, 8, 8)))
    monkeypatch.setattr(vgg16, "_HIDDEN", 16)
    model = build_model(ModelConfig(backbone), 20)
    forward = Forward(model, low)
    each_set(model, fake_gpu.from_tensor)
    monkeypatch.setattr(nn.Module, "to", lambda self, to: each_set(self, lambda each: each.to(to)))
    with fake_gpu, Seen() as seen:
        model.to(CUDA)
        given = batch()
        with forward.casting():
            output = forward.network(given.images, given.rois)
        losses = multi_task_loss(output, given.labels, given.deltas, count=8)
    assert not seen.mixed
    products = [seen.types[name] for name in _PRODUCTS if name in seen.types]
    assert len(products) >= 2
    assert all(types == {low or torch.float32} for types in products), seen.types
    exact = [seen.types[name] for name in _EXACT if name in seen.types]
    assert len(exact) >= 2
    assert all(types == {torch.float32} for types in exact), exact
    assert {(each.dtype, each.device) for each in losses} == {(torch.float32, CUDA)}
