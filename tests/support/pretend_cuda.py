"""`torch.cuda` of the pretend GPU: events, streams and facts, put into torch for a test."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from support.gpu_usage import PretendGPU
from support.pretend_gpu import (
    CUDA,
    FACTORIES,
    GPU,
    GpuTensor,
    factory,
    grouped,
    moved,
    pinned,
)


class _Autocast(torch.autocast):
    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu" if device_type == "cuda" else device_type, *args, **kwargs)


class _Event:
    """An event; waiting for it is a wait if nothing was given to the GPU since."""

    def __init__(self, **_: Any) -> None:
        self._then = -1

    def record(self, _: Any = None) -> None:
        self._then = GPU.total.operations.total()

    def synchronize(self) -> None:
        if GPU.total.operations.total() == self._then:
            GPU.wait("event")

    def query(self) -> bool:
        return True

    def wait(self, _: Any = None) -> None:
        pass


class _Stream:
    def __init__(self, *_: Any, **__: Any) -> None:
        self.device = CUDA

    def wait_stream(self, _: Any) -> None:
        pass

    def wait_event(self, _: Any) -> None:
        pass

    def synchronize(self) -> None:
        GPU.wait("stream")


def install(monkeypatch: pytest.MonkeyPatch) -> PretendGPU:
    """Makes torch see the pretend GPU, as its only one, until `monkeypatch` undoes it."""
    GPU.reset()
    in_use = 1 << 30
    methods: dict[str, Callable[..., Any]] = {
        "to": moved,
        "cpu": lambda self: self.to("cpu"),
        "cuda": lambda self, device=0, non_blocking=False: self.to("cuda", None, non_blocking),
        "pin_memory": pinned,
        "record_stream": lambda self, stream: None,
    }
    for name, method in methods.items():
        monkeypatch.setattr(Tensor, name, method)
    for name in FACTORIES:
        monkeypatch.setattr(torch, name, factory(name, getattr(torch, name)))
    monkeypatch.setattr(torch, "autocast", _Autocast)
    monkeypatch.setattr(torch._C, "_group_tensors_by_device_and_dtype", grouped)
    # `nn.Module.to` makes new parameters: those of the CPU cannot become tensors of another class.
    monkeypatch.setattr(torch.__future__, "_overwrite_module_params_on_conversion", True)
    cuda: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": lambda device: None,
        "init": lambda: None,
        "get_device_name": lambda device=None: "pretend GPU",
        "get_device_capability": lambda device=None: (9, 0),
        "get_arch_list": lambda: ["sm_90"],
        "is_bf16_supported": lambda including_emulation=True: True,
        "mem_get_info": lambda device=None: (60 << 30, 80 << 30),
        "memory_allocated": lambda device=None: in_use,
        "max_memory_allocated": lambda device=None: in_use,
        "memory_reserved": lambda device=None: in_use,
        "reset_peak_memory_stats": lambda device=None: None,
        "empty_cache": lambda: None,
        "synchronize": lambda device=None: GPU.wait("synchronize"),
        "Event": _Event,
        "Stream": _Stream,
        "current_stream": lambda device=None: _Stream(),
        "stream": lambda stream: contextlib.nullcontext(),
    }
    for name, value in cuda.items():
        monkeypatch.setattr(torch.cuda, name, value)
    accelerator: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_accelerator": lambda check_available=False: torch.device("cuda"),
        "current_device_index": lambda: 0,
        "set_device_index": lambda index: None,
    }
    for name, value in accelerator.items():
        monkeypatch.setattr(torch.accelerator, name, value)
    from torch.optim import optimizer  # noqa: PLC0415  private lists of what optimisers take
    from torch.utils import _foreach_utils  # noqa: PLC0415

    for module in (optimizer, _foreach_utils):
        monkeypatch.setattr(module, "_foreach_supported_types", [Tensor, nn.Parameter, GpuTensor])
    for name in ("_accelerator_graph_capture_health_check", "_cuda_graph_capture_health_check"):
        monkeypatch.setattr(optimizer.Optimizer, name, lambda self: None, raising=False)
    return GPU
