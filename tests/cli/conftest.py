"""A small trained project that the commands share."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.commands import SETTINGS, frcnn_process


@pytest.fixture(scope="session")
def project(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a data set, its proposals and a run of four steps."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(scenes, folder / "scenes")
    (folder / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    done = frcnn_process(folder, "train", "--split", "train", "--gpus", "0", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["steps"] == 4
    assert 0 <= result["map_val"] <= 1
    assert (result["map_split"], 0 <= result["map"] <= 1) == ("val", True)
    assert result["failures"] == []
    return folder
