"""Checks of the packages, from the outcomes of the probes and from `pip check`."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping

from frcnn_cli._version import __version__
from frcnn_cli.cli.doctor.check import Check, Outcome

_PROJECT = "frcnn-cli"
_OPENCVS = tuple(
    f"opencv-{contrib}python{headless}"
    for contrib in ("", "contrib-")
    for headless in ("", "-headless")
)
_EXTRAS = {
    "timm": ("timm",),
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "tensorboard": ("tensorboard",),
    "matlab": ("scipy",),
    "cluster": ("distributed",),
}
_REINSTALL = "pip install --force-reinstall frcnn-cli"
_REINSTALL_TORCH = (
    "pip install --force-reinstall torch torchvision, both from one index: for a CPU add "
    "--index-url https://download.pytorch.org/whl/cpu"
)


def check_packages(found: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yields the checks of the packages; `found` has an outcome per probe."""
    torch, weights = found["torch"], found["weights"]
    machine = f"{platform.system()} {platform.machine()}"
    yield Check("frcnn", "ok", f"{__version__} on Python {platform.python_version()}, {machine}")
    yield check_versions()
    build = f"CUDA {torch.facts.get('built_for')}" if torch.facts.get("built_for") else "the CPU"
    yield _check(
        "torch", torch, f"{torch.facts.get('version')}, built for {build}", _REINSTALL_TORCH
    )
    if not torch.problem:
        yield _torchvision(found["torchvision"], f"{torch.facts['version']}, built for {build}")
    yield _opencv(found["opencv"])
    yield _numba(found["numba"])
    yield _check("other packages", found["others"], "imported", _REINSTALL)
    if not any(found[name].problem for name in ("torch", "torchvision", "opencv")):
        intact = "the ImageNet weights and the bundled detector are intact"
        yield _check("weights", weights, intact, _REINSTALL)
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
