"""Probes: each imports what frcnn imports, and does the least that shows that it works."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

_OTHERS = ("numpy", "PIL", "safetensors", "defusedxml", "matplotlib")


def _torch() -> dict[str, Any]:
    torch, environment = map(import_module, ("torch", "torch.utils.collect_env"))
    torch.ones(2).sum().item()
    built_for = torch.version.cuda or torch.version.hip or ""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    refusal = ""
    if built_for and not count:
        try:
            torch.cuda.init()
        except (RuntimeError, AssertionError) as error:
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
    import_module("frcnn_cli.training.pretrained").installed_lite0()
    bundled = import_module("frcnn_cli.detection.detector").BUNDLED
    _, info = import_module("frcnn_cli.cache.checkpoints").load_checkpoint(bundled)
    return {"classes": len(info.classes)}


PROBES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "torch": _torch,
    "torchvision": _torchvision,
    "opencv": _opencv,
    "numba": _numba,
    "others": _others,
    "weights": _weights,
}
