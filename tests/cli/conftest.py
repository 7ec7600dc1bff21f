"""A small trained project that the commands share."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.commands import SETTINGS, frcnn_process, metrics


@pytest.fixture(scope="session")
def project(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a data set, its proposals and a run of four steps."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(scenes, folder / "scenes")
    (folder / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    done = frcnn_process(folder, "train", "--split", "train", "--gpus", "0", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["steps"], result["failures"]) == (4, [])
    maps = [row["map"] for row in metrics(folder) if "map" in row]
    assert result["map_val"] == pytest.approx(max(maps), abs=1e-6)
    assert result["map_split"] == "val"
    assert result["map"] == pytest.approx(metrics(folder)[-1]["final_map"], abs=1e-6)
    return folder
