"""The pretend GPU behaves as a GPU does where tests rely on it."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from support.pretend_gpu import MixedDevicesError, PretendGPU


def test_it_trains_as_the_cpu_does_and_refuses_tensors_of_the_cpu(pretend_gpu: PretendGPU) -> None:
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2))
    x = torch.randn(4, 3, 8, 8)
    trained = []
    for device in ("cpu", "cuda"):
        model = copy.deepcopy(layers).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            model(x.to(device)).square().sum().backward()
            optimizer.step()
        trained.append([parameter.detach().cpu() for parameter in model.parameters()])
    assert all(torch.equal(*pair) for pair in zip(*trained, strict=True))
    assert next(model.parameters()).device == torch.device("cuda", 0)
    with pytest.raises(MixedDevicesError):
        model(x)
    with pytest.raises(TypeError, match="numpy"):
        model[0].weight.numpy()


def test_it_counts_operations_waits_and_copies_by_section(pretend_gpu: PretendGPU) -> None:
    x = torch.arange(6.0).pin_memory().to("cuda", non_blocking=True)
    assert not pretend_gpu.total.waits, "a pinned copy waits for nothing"
    pretend_gpu.reset()
    with pretend_gpu.section("sum"):
        y = (x.view(2, 3) * 2).sum()
    assert pretend_gpu.sections["sum"].operations == {"mul": 1, "sum": 1}
    assert not pretend_gpu.total.waits
    assert y.item() == 30
    torch.nonzero(x)
    x.cpu()
    x[x > 1] = 0
    torch.tensor([1.0], device="cuda")
    assert pretend_gpu.total.waits.total() == 5
    assert pretend_gpu.total.copies == {"to CPU": 24, "to GPU": 4}


def test_an_event_is_a_wait_unless_there_is_more_to_do(pretend_gpu: PretendGPU) -> None:
    x = torch.ones(2, device="cuda")
    event = torch.cuda.Event()
    event.record()
    x.add_(1)
    event.synchronize()
    assert not pretend_gpu.total.waits
    event.record()
    event.synchronize()
    assert pretend_gpu.total.waits.total() == 1


def test_autocast_computes_in_bfloat16(pretend_gpu: PretendGPU) -> None:
    with torch.autocast("cuda", torch.bfloat16):
        assert nn.Linear(2, 2).to("cuda")(torch.ones(1, 2, device="cuda")).dtype == torch.bfloat16
