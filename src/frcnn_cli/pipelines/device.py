"""Which device the network runs on."""

from __future__ import annotations

import torch

from frcnn_cli.config import Precision
from frcnn_cli.errors import ConfigError, DeviceError


def pick_device(gpus: int | None) -> torch.device:
    """Returns the GPU if there is one, else the CPU; `gpus` 0 or 1 insists.

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


def autocast_for(device: torch.device, precision: Precision = "auto") -> torch.dtype | None:
    """Returns the type of the forward pass while training; None is float32.

    Left alone, a CPU stays in float32: its backward pass through depthwise convolutions is slower
    in bfloat16.
    """
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else None
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    return None


def describe(device: torch.device) -> str:
    """Returns what to call a device in a line for people."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'' if threads == 1 else 's'}"
