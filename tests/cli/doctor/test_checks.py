"""Broken installations, made of packages that break as the real ones do, in real processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from frcnn_cli.cli.doctor.checks import (
    Check,
    check_devices,
    check_machine,
    check_packages,
    check_versions,
)
from frcnn_cli.cli.doctor.probes import Outcome, run_probe

TORCH = {
    "version": "2.9.0",
    "built_for": "13.0",
    "gpus": [],
    "gpu_bf16": False,
    "threads": 2,
    "cpu_bf16": True,
    "refusal": "",
    "installed": "",
}
FINE = {
    "torch": Outcome(TORCH),
    "torchvision": Outcome({"version": "0.24"}),
    "opencv": Outcome({"version": "5.0"}),
    "numba": Outcome({"version": "0.61"}),
    "others": Outcome({"PIL": "PIL"}),
    "weights": Outcome({"classes": 20}),
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that this process's children, and its metadata, see first."""
    folder = tmp_path / "site"
    folder.mkdir()
    paths = [str(folder), *(path for path in sys.path if path)]
    monkeypatch.setenv("PYTHONPATH", ":".join(paths))
    monkeypatch.setattr(sys, "path", paths)
    return folder


def install(site: Path, module: str, source: str, package: str = "", needs: str = "") -> None:
    (site / f"{module}.py").write_text(source, encoding="utf-8")
    if package:
        info = site / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata + (f"Requires-Dist: {needs}\n" if needs else ""))


def only(checks, name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


def test_a_sound_installation_is_all_ok():
    assert {check.state for check in check_packages(FINE) if check.name != "opencv"} == {"ok"}
    assert {check.state for check in check_devices(FINE["torch"])} == {"ok"}


def test_a_cpu_torch_beside_a_cuda_torchvision(site):
    install(site, "torch", "tensor = ones = lambda *a: None")
    install(
        site,
        "torchvision",
        'raise RuntimeError("operator torchvision::nms does not exist")',
        package="torchvision",
    )
    outcome = run_probe("torchvision")
    assert outcome.problem == "RuntimeError: operator torchvision::nms does not exist"
    check = only(check_packages({**FINE, "torchvision": outcome}), "torchvision")
    assert check.state == "broken"
    assert "torchvision 1.0 was not made for torch 2.9.0, built for CUDA 13.0" in check.found
    assert check.remedy.startswith("pip install --force-reinstall torch torchvision")


def test_opencv_python_beside_opencv_contrib_python(site):
    install(site, "cv2", '__version__ = "4.9"', package="opencv-python")
    install(site, "cv2", '__version__ = "4.9"', package="opencv-contrib-python")
    check = only(check_packages({**FINE, "opencv": run_probe("opencv")}), "opencv")
    assert check.state == "broken"
    assert "no cv2.ximgproc" in check.found
    assert "opencv-python 1.0, opencv-contrib-python 1.0" in check.found
    assert check.remedy == (
        "pip uninstall -y opencv-python opencv-contrib-python && pip install opencv-contrib-python"
    )


def test_two_opencvs_that_still_work_are_a_warning(site):
    install(site, "unused", "", package="opencv-python")
    check = only(check_packages(FINE), "opencv")
    assert check.state == "warning"
    assert "opencv-python 1.0 beside opencv-contrib-python" in check.found


def test_a_package_that_crashes_the_interpreter(site):
    install(site, "numba", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "numba")
    outcome = run_probe("numba")
    assert "SIGSEGV" in outcome.problem
    check = only(check_packages({**FINE, "numba": outcome}), "fast engine")
    assert (check.state, check.remedy) == ("warning", "pip install --upgrade numba")


@pytest.mark.parametrize("statement", ["sys.exit(0)", "import nothing_of_the_kind", "1 / 0"])
def test_a_package_that_cannot_be_imported(site, statement):
    install(site, "PIL", f"import sys\nprint('noise on stdout')\n{statement}")
    outcome = run_probe("others")
    assert outcome.problem
    assert only(check_packages({**FINE, "others": outcome}), "other packages").state == "broken"


def test_a_process_that_just_ends(site):
    install(site, "PIL", "import os, sys; sys.stderr.write('no such device\\n'); os._exit(7)")
    assert run_probe("others").problem == "exit code 7: no such device"


@pytest.mark.slow
def test_requirements_that_are_not_met(site):
    install(site, "unused", "", package="frcnn-cli", needs="numpy>=999")
    check = check_versions()
    assert check.state == "broken"
    assert "frcnn-cli 1.0 has requirement numpy>=999, but you have numpy" in check.found


@pytest.mark.slow
def test_requirements_of_requirements_are_checked_too(site):
    install(site, "unused", "", package="frcnn-cli", needs="torchvision")
    install(site, "unused", "", package="torchvision", needs="torch==0.1")
    assert "torchvision 1.0 has requirement torch==0.1, but you have" in check_versions().found


def test_what_rests_on_a_broken_torch_is_not_reported_again():
    broken = {**FINE, "torch": Outcome(problem="ImportError: libc10.so")}
    names = [check.name for check in check_packages(broken)]
    assert not {"torchvision", "weights"} & set(names)
    assert list(check_devices(broken["torch"])) == []


@pytest.mark.parametrize(
    ("facts", "environment", "found", "remedy"),
    [
        ({}, {"CUDA_VISIBLE_DEVICES": ""}, "hidden by CUDA_VISIBLE_DEVICES", "unset CUDA_"),
        ({"built_for": ""}, {}, "torch 2.9.0 is built for the CPU only", "pip install"),
        ({"refusal": "driver too old"}, {}, "sees none (driver too old)", "update the driver"),
    ],
)
def test_a_gpu_that_torch_does_not_see(monkeypatch, facts, environment, found, remedy):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    outcome = Outcome({**TORCH, "installed": "GPU 0: Some GPU", **facts})
    check = only(check_devices(outcome), "gpu")
    assert check.state == "warning"
    assert "Some GPU" in check.found
    assert found in check.found
    assert check.remedy.startswith(remedy)


@pytest.mark.slow
def test_the_gpus_of_the_machine_are_those_of_nvidia_smi(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: Some GPU (UUID: GPU-1234)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert run_probe("torch").facts["installed"] == "GPU 0: Some GPU"


def test_a_gpu_without_bfloat16():
    check = only(check_devices(Outcome({**TORCH, "gpus": ["Tesla T4"]})), "gpu")
    assert (check.state, check.found) == ("warning", "Tesla T4, without bfloat16")


def test_a_cache_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    check = only(check_machine(tmp_path / "file" / "cache"), "cache")
    assert check.state == "broken"
    assert "--cache-dir" in check.remedy


def test_looking_makes_no_cache(tmp_path):
    assert only(check_machine(tmp_path / "a" / "b"), "cache").state == "ok"
    assert list(tmp_path.iterdir()) == []


def test_little_disk_and_little_shared_memory(small_disk):
    checks = list(check_machine(small_disk, shared=small_disk))
    assert only(checks, "disk").state == "broken"
    assert only(checks, "shared memory").state == "warning"
    assert "--shm-size" in only(checks, "shared memory").remedy


def test_a_read_only_cache(small_disk, remount_read_only):
    remount_read_only(small_disk)
    check = only(check_machine(small_disk), "cache")
    assert check.state == "broken"
    assert "Read-only file system" in check.found
