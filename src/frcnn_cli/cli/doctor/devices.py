"""Checks of the devices: the processor, and a GPU that torch does not see."""

from __future__ import annotations

import os
from collections.abc import Iterator

from frcnn_cli.cli.doctor.check import Check, Outcome

_REINSTALL = "pip install --force-reinstall torch torchvision, without the index of CPU builds"


def check_devices(torch: Outcome) -> Iterator[Check]:
    """Yields the processor and the GPUs, if torch works."""
    if torch.problem:
        return
    facts = torch.facts
    bf16 = "bfloat16" if facts["cpu_bf16"] else "no bfloat16"
    yield Check("cpu", "ok", f"torch uses {facts['threads']} of {os.cpu_count()} cores, {bf16}")
    names, installed = ", ".join(facts["gpus"]), facts["installed"]
    if names and facts["gpu_bf16"]:
        yield Check("gpu", "ok", f"{names}, bfloat16")
    elif names:
        remedy = "no action needed: training uses float32, with more memory and time"
        yield Check("gpu", "warning", f"{names}, without bfloat16", remedy)
    elif not installed:
        yield Check("gpu", "ok", "none; everything runs on the CPU")
    else:
        why, remedy = _why_unseen(torch)
        yield Check("gpu", "warning", f"{installed}, {why}", remedy)


def _why_unseen(torch: Outcome) -> tuple[str, str]:
    """Returns why torch sees no GPU where there is one, and the remedy."""
    hidden, built_for = os.environ.get("CUDA_VISIBLE_DEVICES"), torch.facts["built_for"]
    if hidden in {"", "-1"}:
        return f"hidden by CUDA_VISIBLE_DEVICES={hidden!r}", "unset CUDA_VISIBLE_DEVICES"
    if not built_for:
        return f"but this torch {torch.facts['version']} is built for the CPU only", _REINSTALL
    return (
        f"but torch sees none ({torch.facts['refusal'] or 'torch gives no reason'})",
        f"update the driver for CUDA {built_for}, or start a container with --gpus all",
    )
