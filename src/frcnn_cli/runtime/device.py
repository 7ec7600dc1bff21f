"""The device that the network runs on, and its number type."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from frcnn_cli.config import Precision
from frcnn_cli.errors import ConfigError, DeviceError


def pick_device(gpus: int | None) -> torch.device:
    """Returns the GPU if there is one, else the CPU; `gpus` 0 or 1 forces one.

    Raises:
        DeviceError: a GPU was asked for and none is visible.
        ConfigError: more than one was asked for.
    """
    if gpus is None:
        gpus = int(torch.cuda.is_available())
    if gpus == 0:
        return torch.device("cpu")
    if gpus > 1 or gpus < 0:
        raise ConfigError(f"--gpus is {gpus}", remedy="use --gpus 1 for a GPU, --gpus 0 for none")
    if not torch.cuda.is_available():
        raise DeviceError("--gpus 1, but torch sees no GPU here", remedy="use --gpus 0")
    return torch.device("cuda", 0)


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Returns the type that `precision` means on `device`.

    Emulated bfloat16 is slower than float32, so "auto" asks for instructions.
    """
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            precision
        ]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return torch.bfloat16 if device.type == "cpu" and _cpu_has_bfloat16() else torch.float32


def _cpu_has_bfloat16() -> bool:
    """Returns whether the CPU multiplies bfloat16 and torch's oneDNN makes use of it."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in names)


def autocast_for(device: torch.device, precision: Precision = "auto") -> torch.dtype | None:
    """Returns the type of the forward pass while training; None: float32."""
    if precision == "float32":
        return None
    dtype = compute_dtype(precision, device)
    # float16 would need its losses scaled; a GPU without bfloat16 trains in float32.
    return dtype if dtype == torch.bfloat16 else None


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Returns a tensor of the CPU on `device`; nothing waits for a GPU."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def fetch_later(numbers: Tensor) -> Callable[[], list[float]]:
    """Starts to copy numbers (N,) to the CPU; returns a function that waits for them."""
    if numbers.device.type != "cuda":
        return numbers.tolist
    fetched = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    fetched.copy_(numbers, non_blocking=True)
    arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrived.record()

    def wait() -> list[float]:
        arrived.synchronize()
        values: list[float] = fetched.tolist()
        return values

    return wait


def describe(device: torch.device) -> str:
    """Returns the name of a device for people."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}"
