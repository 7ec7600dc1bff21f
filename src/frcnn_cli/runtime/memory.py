"""Peak memory of a computation, and advice where a GPU ran out of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from frcnn_cli.errors import DeviceError

if sys.platform != "win32":
    import resource

_PROCESS = Path("/proc/self")


def reset_peak(device: torch.device) -> None:
    """Starts a new measurement."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        (_PROCESS / "clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int | None:
    """Returns the peak number of bytes held since `reset_peak`.

    On a GPU by torch's count, else the resident memory of this process: without a Linux `/proc`
    since its start, and None where the system does not report it.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        lines = (_PROCESS / "status").read_text(encoding="ascii").splitlines()
    except OSError:
        if sys.platform == "win32":
            return None
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    peak = next(line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


TRAINING_REMEDY = "lower short_sides, rois_per_image or ohem_factor in [train], or --batch"


@contextmanager
def translate_out_of_memory(remedy: str = TRAINING_REMEDY) -> Iterator[None]:
    """Turns CUDA out-of-memory errors into advice on what to lower.

    Raises:
        DeviceError: instead of torch's error.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError("the GPU has no memory left", remedy=remedy) from error
