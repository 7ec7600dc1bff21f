"""The command that repeats a run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frcnn_cli.training.runs.job import TrainJob


def settings_toml(resolved: Mapping[str, Any]) -> str:
    """Returns every setting of a run as a `frcnn.toml`.

    Args:
        resolved: the run's `config.json`.
    """
    train = resolved["train"]
    flat = {n: v for n, v in train.items() if not isinstance(v, dict)}
    for group in train.values():
        flat |= group if isinstance(group, dict) else {}
    lines = ["# Every setting of this run. Beside it, command.txt repeats the run."]
    for section in ("model", "input", "train", "proposals"):
        lines += ["", f"[{section}]"]
        # Strings, numbers, booleans and lists are written alike in JSON and TOML.
        lines += [
            f"{name} = {json.dumps(value)}"
            for name, value in {**resolved, "train": flat}[section].items()
        ]
    return "\n".join(lines) + "\n"


def repeating_command(
    job: TrainJob, settings: Path, device: str, processes: int, cache: Path
) -> str:
    """Returns the command line that trains the same as another run.

    Args:
        job: what was trained.
        settings: file of all settings.
        device: "cpu" or "cuda".
        processes: number of processes on this machine.
        cache: folder of proposals, made splits and runs.
    """
    words = ["frcnn", "train", str(job.data.resolve())]
    words += [] if job.split is None else ["--split", job.split]
    words += ["--weights", job.weights, "--config", str(settings.resolve())]
    words += ["--gpus", str(processes if device == "cuda" else 0)]
    if processes > 1 and device == "cpu":
        words += ["--processes", str(processes)]
    words += ["--cache-dir", str(cache.resolve())]
    return shlex.join(words)
