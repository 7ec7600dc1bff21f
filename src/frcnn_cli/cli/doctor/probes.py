"""What is tried, each in a process of its own (`trying`).

A probe imports what frcnn imports and does with it the least that shows that it works.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_PROJECT = "frcnn-cli"
_PLAIN = ("numpy", "PIL", "safetensors", "defusedxml", "matplotlib")


def _torch() -> dict[str, Any]:
    torch = importlib.import_module("torch")
    torch.ones(2).sum().item()
    there = torch.cuda.is_available()
    facts = {
        "version": torch.__version__,
        "built_for": torch.version.cuda or torch.version.hip or "",
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        if there
        else [],
        "gpu_bf16": there and torch.cuda.is_bf16_supported(including_emulation=False),
        "threads": torch.get_num_threads(),
        "cpu_bf16": _cpu_computes_bf16(torch),
        "refusal": "",
    }
    if facts["built_for"] and not there:
        try:
            torch.cuda.init()
        except (RuntimeError, AssertionError) as error:
            facts["refusal"] = str(error)
    return facts


def _cpu_computes_bf16(torch: Any) -> bool | None:
    """Returns whether the processor has instructions for bfloat16; None where torch cannot say."""
    try:
        known = torch.cpu.get_capabilities()
    except (AttributeError, RuntimeError):
        return None
    return bool(known.get("avx512_bf16") or known.get("amx_bf16") or known.get("bf16"))


def _torchvision() -> dict[str, Any]:
    torch, torchvision = map(importlib.import_module, ("torch", "torchvision"))
    box = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    torchvision.ops.nms(box, torch.ones(1), 0.5)
    return {"version": torchvision.__version__}


def _opencv() -> dict[str, Any]:
    opencv = importlib.import_module("frcnn_cli.proposals.opencv")
    opencv.require()
    return {"version": opencv.version().removeprefix("opencv ")}


def _numba() -> dict[str, Any]:
    numba = importlib.import_module("numba")
    importlib.import_module("frcnn_cli.proposals.fast.engine")
    return {"version": numba.__version__}


def _others() -> dict[str, Any]:
    return {name: importlib.import_module(name).__name__ for name in _PLAIN}


def _requirements() -> dict[str, Any]:
    """Returns what is missing or of a wrong version, among what frcnn needs and what that needs."""
    try:
        ours = _needed_by(_PROJECT)
    except importlib.metadata.PackageNotFoundError:
        return {"problems": [], "known": False}
    problems = list(_unmet(_PROJECT, ours))
    for requirement in ours:
        try:
            problems += _unmet(requirement.name, _needed_by(requirement.name))
        except importlib.metadata.PackageNotFoundError:
            continue  # told above
    return {"problems": problems, "known": True}


def _needed_by(name: str) -> list[Any]:
    """Returns a package's requirements that hold on this machine, without its extras'."""
    parse = importlib.import_module("packaging.requirements").Requirement
    wanted = map(parse, importlib.metadata.requires(name) or ())
    return [each for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]


def _unmet(name: str, requirements: list[Any]) -> Iterator[str]:
    for each in requirements:
        try:
            version = importlib.metadata.version(each.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} needs {each.name}, which is not installed"
            continue
        if not each.specifier.contains(version, prereleases=True):
            yield f"{name} needs {each.name} {each.specifier}, and {version} is installed"


def _weights() -> dict[str, Any]:
    weights = importlib.import_module("frcnn_cli.training.pretrained")
    checkpoints = importlib.import_module("frcnn_cli.cache.checkpoints")
    weights.installed_lite0()
    bundled = importlib.import_module("frcnn_cli.detection.detector").BUNDLED
    _, info = checkpoints.load_checkpoint(bundled)
    return {"classes": len(info.classes)}


PROBES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "requirements": _requirements,
    "torch": _torch,
    "torchvision": _torchvision,
    "opencv": _opencv,
    "numba": _numba,
    "others": _others,
    "weights": _weights,
}
