"""Checks of the installed packages and of the devices; each problem has its remedy.

Nothing that may be broken is imported here: see `probes`.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

from frcnn_cli._version import __version__
from frcnn_cli.cli.doctor.probes import PROBES, Outcome, run_probe
from frcnn_cli.errors import ConfigError
from frcnn_cli.files import nearest_folder, writing
from frcnn_cli.runtime.progress import Progress, silent

State = Literal["ok", "warning", "broken"]
"""Broken: a command cannot work. Warning: it works, but not optimally."""

_PROJECT = "frcnn-cli"
_OPENCVS = (
    *("opencv-python", "opencv-python-headless"),
    *("opencv-contrib-python", "opencv-contrib-python-headless"),
)
_EXTRAS = {
    "timm": ("timm",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino",),
    "tensorboard": ("tensorboard",),
    "matlab": ("scipy",),
    "cluster": ("distributed",),
}
_REINSTALL = "pip install --force-reinstall frcnn-cli"
_REINSTALL_TORCH = (
    "pip install --force-reinstall torch torchvision, both from one index: for a CPU add "
    "--index-url https://download.pytorch.org/whl/cpu"
)
_REINSTALL_CUDA = "pip install --force-reinstall torch torchvision, without the index of CPU builds"
_GIB = 1 << 30
_CHOOSE = "choose another folder with --cache-dir or FRCNN_CACHE_DIR"


@dataclass(frozen=True)
class Check:
    """The name, state, finding and remedy of one part."""

    name: str
    state: State
    found: str
    remedy: str = ""


def run_checks(cache: Path, progress: Progress = silent) -> list[Check]:
    """Checks everything that frcnn needs; `cache` is the cache folder, which need not exist.

    `progress` is called after each probe.
    """
    machine = f"{platform.system()} {platform.machine()}"
    itself = f"{__version__} on Python {platform.python_version()}, {machine}"
    found = {}
    with ThreadPoolExecutor(len(PROBES) + 1) as threads:
        versions = threads.submit(check_versions)
        for name, outcome in zip(PROBES, threads.map(run_probe, PROBES), strict=True):
            found[name] = outcome
            progress("Checking", len(found), len(PROBES))
    return [
        Check("frcnn", "ok", itself),
        versions.result(),
        *check_packages(found),
        *check_devices(found["torch"]),
        *check_machine(cache),
    ]


def check_packages(found: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yields the checks of the packages; `found` has an outcome per probe."""
    torch, opencv = found["torch"], found["opencv"]
    build = f"CUDA {torch.facts.get('built_for')}" if torch.facts.get("built_for") else "the CPU"
    build = f"{torch.facts.get('version')}, built for {build}"
    yield _check("torch", torch, build, _REINSTALL_TORCH)
    if not torch.problem:
        yield _torchvision(found["torchvision"], build)
    yield _opencv(opencv)
    yield _numba(found["numba"])
    yield _check("other packages", found["others"], "imported", _REINSTALL)
    if not (torch.problem or found["torchvision"].problem or opencv.problem):
        intact = "the ImageNet weights and the bundled detector are intact"
        yield _check("weights", found["weights"], intact, _REINSTALL)
    yield _extras()


def check_versions() -> Check:
    """Checks by `pip check` whether all requirements of frcnn, and theirs, are met."""
    command = [sys.executable, "-P", "-m", "pip", "check", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        requirements = importlib.metadata.requires(_PROJECT) or []
    except importlib.metadata.PackageNotFoundError:
        return Check("versions", "ok", "not compared: frcnn runs from its sources")
    ours = {_PROJECT, *(re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in requirements)}
    problems = [line for line in done.stdout.splitlines() if line.split(" ", 1)[0] in ours]
    if problems:
        return Check("versions", "broken", "; ".join(problems), "pip install --upgrade frcnn-cli")
    if done.returncode and not done.stdout:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        return Check("versions", "warning", f"not compared ({last})", "python -m ensurepip")
    return Check("versions", "ok", "every requirement is met")


def _check(name: str, outcome: Outcome, found: str, remedy: str) -> Check:
    if outcome.problem:
        return Check(name, "broken", outcome.problem, outcome.remedy or remedy)
    return Check(name, "ok", found)


def _torchvision(outcome: Outcome, torch: str) -> Check:
    check = _check("torchvision", outcome, str(outcome.facts.get("version")), _REINSTALL_TORCH)
    if "torchvision::nms" not in outcome.problem:
        return check
    clash = f"; torchvision {_version_of('torchvision')} was not made for torch {torch}"
    return Check(check.name, check.state, check.found + clash, check.remedy)


def _opencv(outcome: Outcome) -> Check:
    """Packages named opencv-* write the same folder, so the last one installed wins."""
    installed = [name for name in _OPENCVS if _version_of(name)]
    versions = [f"{name} {_version_of(name)}" for name in installed]
    remedy = "pip install opencv-contrib-python"
    if installed:
        remedy = f"pip uninstall -y {' '.join(installed)} && {remedy}"
    if outcome.problem:
        problem = f"{outcome.problem}; installed: {', '.join(versions) or 'none'}"
        return Check("opencv", "broken", problem, remedy)
    if len(installed) > 1:
        problem = f"{' beside '.join(versions)}: the next upgrade of one breaks the other"
        return Check("opencv", "warning", problem, remedy)
    return Check("opencv", "ok", f"{outcome.facts['version']}, with selective search")


def _numba(outcome: Outcome) -> Check:
    version = _version_of("numba")
    if not outcome.problem:
        return Check("fast engine", "ok", f"numba {outcome.facts['version']}")
    if version:
        problem, remedy = f"numba {version}: {outcome.problem}", "pip install --upgrade numba"
    else:
        problem = "numba is not installed: OpenCV finds the proposals, which takes longer"
        remedy = "pip install numba"
    return Check("fast engine", "warning", problem, remedy)


def _extras() -> Check:
    there, missing = [], []
    for extra, packages in _EXTRAS.items():
        versions = {name: _version_of(name) for name in packages}
        if all(versions.values()):
            there += [f"{name} {version}" for name, version in versions.items()]
        else:
            missing.append(f"pip install 'frcnn-cli[{extra}]'")
    found = ", ".join(there) or "none installed"
    return Check("extras", "ok", found + (f"; more with {', '.join(missing)}" if missing else ""))


def _version_of(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def check_devices(torch: Outcome) -> Iterator[Check]:
    """Yields the processor and the GPUs, if torch works."""
    if torch.problem:
        return
    facts = torch.facts
    bf16 = "bfloat16" if facts["cpu_bf16"] else "no bfloat16"
    yield Check("cpu", "ok", f"torch uses {facts['threads']} of {os.cpu_count()} cores, {bf16}")
    names = ", ".join(facts["gpus"])
    if names and facts["refusal"]:
        yield Check("gpu", "broken", facts["refusal"])
    elif names and facts["gpu_bf16"]:
        yield Check("gpu", "ok", f"{names}, bfloat16")
    elif names:
        remedy = "no action needed: training uses float32, with more memory and time"
        yield Check("gpu", "warning", f"{names}, without bfloat16", remedy)
    elif not facts["installed"]:
        yield Check("gpu", "ok", "none; everything runs on the CPU")
    else:
        why, remedy = _why_unseen(torch)
        yield Check("gpu", "warning", f"{facts['installed']}, {why}", remedy)


def _why_unseen(torch: Outcome) -> tuple[str, str]:
    """Returns why torch sees no GPU where there is one, and the remedy."""
    hidden, built_for = os.environ.get("CUDA_VISIBLE_DEVICES"), torch.facts["built_for"]
    if hidden in {"", "-1"}:
        return f"hidden by CUDA_VISIBLE_DEVICES={hidden!r}", "unset CUDA_VISIBLE_DEVICES"
    if not built_for:
        version = torch.facts["version"]
        return f"but this torch {version} is built for the CPU only", _REINSTALL_CUDA
    return (
        f"but torch sees none ({torch.facts['refusal'] or 'torch gives no reason'})",
        f"update the driver for CUDA {built_for}, or start a container with --gpus all",
    )


def check_machine(cache: Path, shared: Path = Path("/dev/shm")) -> Iterator[Check]:
    """Yields the checks of the cache folder `cache`, which need not exist, and of the machine."""
    # The cache is made at the first write: what counts is the nearest folder that exists.
    folder = nearest_folder(cache)
    try:
        with writing(cache), TemporaryFile(dir=folder) as stream:
            stream.write(b"x" * 4096)
    except ConfigError as error:
        yield Check("cache", "broken", f"{cache} {error.problem}", _CHOOSE)
    else:
        state = "is writable" if cache.is_dir() else "is created at the first write"
        yield Check("cache", "ok", f"{cache} {state}")
    free = shutil.disk_usage(folder).free
    found = f"{free / _GIB:,.1f} GiB free where the cache is"
    if free < 100 << 20:
        yield Check("disk", "broken", found, f"free space, or {_CHOOSE}")
    elif free < 2 * _GIB:
        yield Check("disk", "warning", f"{found}, a long training fills it", "frcnn cache gc")
    else:
        yield Check("disk", "ok", found)
    if shared.is_dir():
        total = shutil.disk_usage(shared).total
        found = f"{total / _GIB:,.1f} GiB for the processes that load images for a GPU"
        remedy = "only several GPUs need more: start the container with --shm-size 2g"
        little = total < _GIB
        yield Check("shared memory", "warning" if little else "ok", found, remedy if little else "")
