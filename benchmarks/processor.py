"""The processor that figures belong to."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def processor() -> str:
    """Returns its name and how many cores of it there are."""
    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":")[1].strip() for line in lines if "model name" in line), model)
    return f"{model}, {os.cpu_count()} cores"
