"""Which devices compute, and a GPU that is there and is not seen."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from frcnn_cli.cli.doctor.check import Check, Outcome

_PATIENCE = 20.0


def check_devices(torch: Outcome) -> Iterator[Check]:
    """Yields the processor and the GPUs, as far as `torch` could say."""
    if not torch.fine:
        return
    facts = torch.facts
    bf16 = {True: ", bfloat16", False: ", no bfloat16", None: ""}[facts["cpu_bf16"]]
    yield Check("cpu", "ok", f"torch uses {facts['threads']} of {os.cpu_count()} cores{bf16}")
    yield _gpu(torch, installed_gpus())


def _gpu(torch: Outcome, installed: list[str]) -> Check:
    facts = torch.facts
    seen = facts["gpus"]
    if seen:
        names = ", ".join(seen)
        if facts["gpu_bf16"]:
            return Check("gpu", "ok", f"{names}, bfloat16")
        remedy = "no action needed: training uses float32, with more memory and time"
        return Check("gpu", "warning", f"{names}, without bfloat16", remedy)
    if not installed:
        return Check("gpu", "ok", "none; everything runs on the CPU")
    names = ", ".join(installed)
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden in {"", "-1"}:
        problem = f"{names}, hidden by CUDA_VISIBLE_DEVICES={hidden!r}"
        return Check("gpu", "warning", problem, "unset CUDA_VISIBLE_DEVICES")
    if not facts["built_for"]:
        problem = f"{names}, but this torch {facts['version']} is built for the CPU only"
        remedy = "pip install --force-reinstall torch torchvision, without the index of CPU builds"
        return Check("gpu", "warning", problem, remedy)
    refusal = facts["refusal"] or "torch gives no reason"
    remedy = (
        f"update the driver for CUDA {facts['built_for']}, or in a container start it with "
        "--gpus all"
    )
    return Check("gpu", "warning", f"{names}, but torch sees none ({refusal})", remedy)


def installed_gpus(root: Path = Path("/")) -> list[str]:
    """Returns the NVIDIA GPUs that the machine has, whether torch sees them or not.

    Args:
        root: where `proc` and `dev` are.
    """
    tool = shutil.which("nvidia-smi")
    if tool:
        try:
            done = subprocess.run(
                [tool, "--query-gpu=name", "--format=csv,noheader"],
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            pass
        else:
            if done.returncode == 0 and done.stdout.strip():
                return [line.strip() for line in done.stdout.strip().splitlines()]
    known = root / "proc/driver/nvidia/gpus"
    count = len(list(known.glob("*"))) or len(list((root / "dev").glob("nvidia[0-9]*")))
    return ["an NVIDIA GPU"] * count
