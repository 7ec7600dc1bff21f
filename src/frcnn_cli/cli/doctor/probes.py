"""Probes: each imports what frcnn imports, and does the least that shows that it works.

A probe has a process of its own (`python -m frcnn_cli.cli.doctor.probes NAME`), so that a package
that cannot be imported, or crashes, is a line of the report.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from frcnn_cli.errors import FrcnnError
from frcnn_cli.runtime.child import exit_reason

_ANSWER = "frcnn-probe "
"""Prefix of the line of stdout that holds the answer: packages print at import."""
_TIMEOUT_SECONDS = 120.0
_OTHERS = ("numpy", "PIL", "safetensors", "defusedxml", "matplotlib")


@dataclass(frozen=True)
class Outcome:
    """The result of a probe.

    Attributes:
        facts: JSON values; empty if it failed.
        problem: why it failed, in one line; "" if it did not.
        remedy: the error's own advice.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    remedy: str = ""


def run_probe(name: str) -> Outcome:
    """Returns the result of the probe `name`, however its process ends."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__, name],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
    except subprocess.TimeoutExpired:
        return Outcome(problem=f"no answer within {_TIMEOUT_SECONDS:.0f} s")
    answers = [line for line in done.stdout.splitlines() if line.startswith(_ANSWER)]
    if answers:
        from frcnn_cli.decoding import decode_json  # needs NumPy, which may be broken

        return decode_json(answers[-1].removeprefix(_ANSWER), Outcome)
    how = exit_reason(done.returncode)
    if how.startswith("SIG"):
        return Outcome(problem=f"it crashed at import ({how})")
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return Outcome(problem=f"{how}: {last}")


def _answer(name: str) -> str:
    """Runs the probe `name` in this process, and returns its outcome as JSON."""
    try:
        outcome = Outcome(PROBES[name]())
    except FrcnnError as error:
        problem = f"{error.file}: {error.problem}" if error.file else error.problem
        outcome = Outcome(problem=problem, remedy=error.remedy)
    except BaseException as error:  # whatever a broken package raises, SystemExit too
        outcome = Outcome(problem=" ".join(f"{type(error).__name__}: {error}".split()))
    return json.dumps(vars(outcome))


def _torch() -> dict[str, Any]:
    torch, environment = map(import_module, ("torch", "torch.utils.collect_env"))
    torch.ones(2).sum().item()
    built_for = torch.version.cuda or torch.version.hip or ""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    refusal = ""
    try:
        if count:
            import_module("frcnn_cli.runtime.device").working_gpu(0)
        elif built_for:
            torch.cuda.init()
    except (RuntimeError, AssertionError, FrcnnError) as error:
        refusal = str(error)
    return {
        "version": torch.__version__,
        "built_for": built_for,
        "gpus": [torch.cuda.get_device_name(i) for i in range(count)],
        "gpu_bf16": bool(count) and torch.cuda.is_bf16_supported(including_emulation=False),
        "installed": environment.get_gpu_info(environment.run)
        or ", ".join(str(device) for device in Path("/dev").glob("nvidia[0-9]*")),
        "threads": torch.get_num_threads(),
        "cpu_bf16": any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")),
        "refusal": refusal,
    }


def _torchvision() -> dict[str, Any]:
    torch, torchvision = map(import_module, ("torch", "torchvision"))
    torchvision.ops.nms(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.ones(1), 0.5)
    return {"version": torchvision.__version__}


def _opencv() -> dict[str, Any]:
    opencv = import_module("frcnn_cli.proposals.opencv")
    opencv.require()
    return {"version": opencv.version().removeprefix("opencv ")}


def _numba() -> dict[str, Any]:
    numba = import_module("numba")
    import_module("frcnn_cli.proposals.fast.engine")
    return {"version": numba.__version__}


def _others() -> dict[str, Any]:
    return {name: import_module(name).__name__ for name in _OTHERS}


def _weights() -> dict[str, Any]:
    pretrained = import_module("frcnn_cli.training.pretrained")
    for backbone in pretrained.INSTALLED:
        pretrained.installed_weights(backbone)
    bundled = import_module("frcnn_cli.detection.detector").BUNDLED
    import_module("frcnn_cli.cache.checkpoints").load_checkpoint(bundled)
    return {}


PROBES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "torch": _torch,
    "torchvision": _torchvision,
    "opencv": _opencv,
    "numba": _numba,
    "others": _others,
    "weights": _weights,
}

if __name__ == "__main__":
    sys.stdout.write(f"\n{_ANSWER}{_answer(sys.argv[1])}\n")
