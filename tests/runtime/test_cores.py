from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from frcnn_cli.runtime.cores import all_cores, cpu_quota, share_cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away")
def test_all_cores_counts_those_that_this_process_may_use() -> None:
    cores = os.sched_getaffinity(0)
    assert all_cores() <= len(cores)
    try:
        os.sched_setaffinity(0, {min(cores)})
        assert all_cores() == 1
    finally:
        os.sched_setaffinity(0, cores)


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/\n", {}, None),
        ("", {}, None),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "200000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, 1),
        # The smallest quota from the group up to the root counts.
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "80000 20000"}, 3),
        ("0::/a\n", {"b/cpu.max": "100000 100000"}, None),
        # Version 1, where the container's mount begins at its own group.
        ("4:cpu,cpuacct:/docker/1\n", {"cpu,cpuacct/cpu.cfs_quota_us": "250000"}, 3),
        ("4:cpu,cpuacct:/docker/1\n", {"cpu/cpu.cfs_quota_us": "400000"}, 4),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1"}, None),
        ("1:cpuset:/\n2:memory:/\n", {"cpuset/cpu.cfs_quota_us": "100000"}, None),
        ("1:cpu:/a\n0::/a\n", {"unified/a/cpu.max": "600000 100000"}, 6),
    ],
)
def test_quotas_of_control_groups(
    tmp_path: Path, membership: str, files: Mapping[str, str], cores: int | None
) -> None:
    mount = tmp_path / "cgroup"
    for name, text in files.items():
        file = mount / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        (file.parent / "cpu.cfs_period_us").write_text("100000")
    listed = tmp_path / "membership"
    listed.write_text(membership)
    assert cpu_quota(listed, mount) == cores


def test_a_missing_file_of_groups_means_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / "none", tmp_path) is None


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("OMP_NUM_THREADS", "77")
    share_cores(2)
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"]) == ("ACTIVE", "77")


def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_WAIT_POLICY", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    share_cores(1000)
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["OMP_NUM_THREADS"]) == ("PASSIVE", "1")


COMMAND = """
import os, sys
from frcnn_cli.cli import app
assert "OMP_WAIT_POLICY" not in os.environ, "an import sets it"
app.app = lambda **_: print(os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules)
app.main()
"""


def test_a_command_waits_passively_before_torch_is_loaded_and_an_import_changes_nothing() -> None:
    """OpenMP reads its settings when torch is loaded."""
    bare = {name: text for name, text in os.environ.items() if not name.startswith("OMP_")}
    words = [sys.executable, "-c", COMMAND]
    done = subprocess.run(words, env=bare, capture_output=True, text=True, check=True)
    assert done.stdout == "PASSIVE False\n"
