"""The device that the network runs on, and its number type."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from frcnn_cli.config import Precision
from frcnn_cli.errors import ConfigError, DeviceError


def pick_device(gpus: int | None) -> torch.device:
    """Returns the GPU if there is one, else the CPU; `gpus` 0 or 1 forces one.

    Raises:
        DeviceError: a GPU was asked for, and none is visible or torch cannot compute on it.
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
    return working_gpu(0)


def named_device(name: str | torch.device) -> torch.device:
    """Returns the device that a name like torch's stands for.

    Raises:
        DeviceError: frcnn does not compute there, or torch sees no such GPU.
    """
    remedy = 'use "cpu", "cuda" or "cuda:1"'
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"{name!r} is not a device", remedy=remedy) from error
    if device.type not in {"cpu", "cuda"}:
        raise DeviceError(f"frcnn does not compute on {str(device)!r}", remedy=remedy)
    if device.type == "cpu":
        return device
    if not torch.cuda.is_available():
        raise DeviceError(f"{str(device)!r}, but torch sees no GPU here", remedy='use device="cpu"')
    index, count = device.index or 0, torch.cuda.device_count()
    if index >= count:
        raise DeviceError(
            f"{str(device)!r}, but torch sees {count} GPU{'' if count == 1 else 's'}",
            remedy=f"the last one is cuda:{count - 1}",
        )
    return working_gpu(index)


def working_gpu(index: int) -> torch.device:
    """Returns a GPU that torch sees, on which float32 is float32 from now on.

    By default cuDNN rounds the factors of float32 products to 11 bits (TF32), and products of
    16-bit numbers may be summed in 16 bits.

    Raises:
        DeviceError: torch has no kernels for it, or it does not work.
    """
    torch.backends.cudnn.allow_tf32 = False
    matmul = torch.backends.cuda.matmul
    matmul.allow_tf32 = False
    matmul.allow_fp16_reduced_precision_reduction = False
    matmul.allow_bf16_reduced_precision_reduction = False
    device = torch.device("cuda", index)
    try:
        pixels = torch.ones(1, 1, 3, 3, device=device)
        F.conv2d(pixels, pixels).item()
    except RuntimeError as error:
        capability = ".".join(map(str, torch.cuda.get_device_capability(device)))
        reason = str(error).strip().partition("\n")[0]
        raise DeviceError(
            f"{torch.cuda.get_device_name(device)} has compute capability {capability}, and torch "
            f"{torch.__version__}, built for {', '.join(torch.cuda.get_arch_list())}, cannot "
            f"compute on it ({reason})",
            remedy="install a torch that is built for it, or use the CPU (--gpus 0)",
        ) from error
    return device


def compute_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Returns the type that `precision` means in inference on `device`.

    On a GPU "auto" is float16, which is as fast as bfloat16 and has three more bits; see
    `Inference.widen` for numbers that are too large for it.
    """
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            precision
        ]
    return torch.float16 if device.type == "cuda" else wide_dtype(device)


def wide_dtype(device: torch.device) -> torch.dtype:
    """Returns the fastest type with the range of float32.

    Emulated bfloat16 is slower than float32, so this asks for instructions.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and _cpu_has_bfloat16()
    return torch.bfloat16 if native else torch.float32


def upload(array: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """Returns an array on `device`; a GPU copies it while it computes."""
    return to_device(torch.from_numpy(array), device)


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
    # float16 would need its losses scaled; a device without bfloat16 trains in float32.
    dtype = wide_dtype(device) if precision == "auto" else compute_dtype(precision, device)
    return dtype if dtype == torch.bfloat16 else None


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Returns a tensor of the CPU on `device`; nothing waits for a GPU."""
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def fetch_later(numbers: Tensor, limit: float = math.inf) -> Callable[[], list[float]]:
    """Starts to copy numbers (N,) to the CPU; returns a function that waits for them.

    The function raises a RuntimeError if a GPU takes more than `limit` seconds.
    """
    if numbers.device.type != "cuda":
        return numbers.tolist
    fetched = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    fetched.copy_(numbers, non_blocking=True)
    arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
    arrived.record(torch.cuda.current_stream(numbers.device))

    def wait() -> list[float]:
        until = time.monotonic() + limit
        while limit < math.inf and not arrived.query():  # type: ignore[no-untyped-call]
            if time.monotonic() > until:
                raise RuntimeError(f"the GPU has not answered for {limit:.0f} s")
            time.sleep(0.001)
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
