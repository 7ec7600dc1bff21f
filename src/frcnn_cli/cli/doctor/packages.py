"""What the probes of packages found, as lines of the report."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterator, Mapping

from frcnn_cli._version import __version__
from frcnn_cli.cli.doctor.check import Check, Outcome

_OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_REINSTALL_TORCH = (
    "pip install --force-reinstall torch torchvision, both from one index: for a CPU add "
    "--index-url https://download.pytorch.org/whl/cpu"
)


def check_packages(found: Mapping[str, Outcome]) -> Iterator[Check]:
    """Yields what the probes by name say of the packages."""
    machine = f"{platform.system()} {platform.machine()}"
    here = f"{__version__} on Python {platform.python_version()}, {machine}"
    yield Check("frcnn", "ok", here)
    yield _requirements(found["requirements"])
    yield _torch(found["torch"])
    if found["torch"].fine:
        yield _torchvision(found["torchvision"], found["torch"])
    yield _opencv(found["opencv"])
    yield _numba(found["numba"])
    yield _others(found["others"])
    if all(found[name].fine for name in ("torch", "torchvision", "opencv")):
        yield _weights(found["weights"])
    yield _extras()


def _requirements(outcome: Outcome) -> Check:
    name = "versions"
    if not outcome.fine:
        return Check(name, "warning", f"could not be compared ({outcome.problem})")
    problems = outcome.facts["problems"]
    if problems:
        return Check(name, "broken", "; ".join(problems), "pip install --upgrade frcnn-cli")
    if not outcome.facts["known"]:
        return Check(name, "ok", "not compared: frcnn runs from its sources")
    return Check(name, "ok", "every requirement is met")


def _torch(outcome: Outcome) -> Check:
    if not outcome.fine:
        remedy = outcome.remedy or _REINSTALL_TORCH
        return Check("torch", "broken", outcome.problem, remedy)
    return Check("torch", "ok", f"{outcome.facts['version']}, {_build(outcome)}")


def _build(torch: Outcome) -> str:
    built_for = torch.facts["built_for"]
    return f"built for CUDA {built_for}" if built_for else "built for the CPU only"


def _torchvision(outcome: Outcome, torch: Outcome) -> Check:
    if outcome.fine:
        return Check("torchvision", "ok", str(outcome.facts["version"]))
    problem = outcome.problem
    if "torchvision::nms" in problem:
        ours = _version_of("torchvision")
        problem += (
            f"; torchvision {ours} was not made for torch {torch.facts['version']}, {_build(torch)}"
        )
    return Check("torchvision", "broken", problem, _REINSTALL_TORCH)


def _opencv(outcome: Outcome) -> Check:
    installed = [f"{name} {_version_of(name)}" for name in _OPENCVS if _version_of(name)]
    several = len(installed) > 1
    remedy = (
        f"pip uninstall -y {' '.join(each.split()[0] for each in installed)} && "
        "pip install opencv-contrib-python"
    )
    if not outcome.fine:
        problem = f"{outcome.problem}; installed: {', '.join(installed) or 'none'}"
        return Check(
            "opencv",
            "broken",
            problem,
            remedy if installed else "pip install opencv-contrib-python",
        )
    if several:
        listed = " beside ".join(installed)
        return Check(
            "opencv", "warning", f"{listed}: the next upgrade of one breaks the other", remedy
        )
    return Check("opencv", "ok", f"{outcome.facts['version']}, with selective search")


def _numba(outcome: Outcome) -> Check:
    name = "fast engine"
    if outcome.fine:
        return Check(name, "ok", f"numba {outcome.facts['version']}")
    if _version_of("numba"):
        remedy = "pip install --upgrade numba"
        return Check(name, "warning", f"numba {_version_of('numba')}: {outcome.problem}", remedy)
    remedy = "pip install numba"
    return Check(
        name,
        "warning",
        "numba is not installed: OpenCV finds the proposals, which takes longer",
        remedy,
    )


def _others(outcome: Outcome) -> Check:
    name = "other packages"
    if outcome.fine:
        return Check(name, "ok", "imported")
    return Check(name, "broken", outcome.problem, "pip install --force-reinstall frcnn-cli")


def _weights(outcome: Outcome) -> Check:
    name = "weights"
    if outcome.fine:
        return Check(name, "ok", "the ImageNet weights and the bundled detector are intact")
    remedy = outcome.remedy or "pip install --force-reinstall frcnn-cli"
    return Check(name, "broken", outcome.problem, remedy)


def _extras() -> Check:
    there, missing = [], []
    for extra, packages in {
        "timm": ("timm",),
        "onnx": ("onnx", "onnxscript", "onnxruntime"),
        "tensorboard": ("tensorboard",),
        "matlab": ("scipy",),
        "cluster": ("distributed",),
    }.items():
        versions = [f"{name} {_version_of(name)}" for name in packages if _version_of(name)]
        if len(versions) == len(packages):
            there += versions
        else:
            missing.append(f"pip install 'frcnn-cli[{extra}]'")
    found = ", ".join(there) or "none installed"
    return Check("extras", "ok", found + (f"; more with {', '.join(missing)}" if missing else ""))


def _version_of(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
