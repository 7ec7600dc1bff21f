"""A run's folder: whose it is, what is left of a start that failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo, load_checkpoint
from frcnn_cli.cache.runs import BEST, LAST, METRICS
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import InputConfig, ModelConfig
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.training.runs.events import FinalScore
from frcnn_cli.training.runs.folder import STATE, RunFolder

INFO = CheckpointInfo(ModelConfig(), ("cat",), InputConfig())
HOLD = """
import sys
from pathlib import Path
from frcnn_cli.cache.store import Cache
from frcnn_cli.training.runs.folder import RunFolder
print(RunFolder.new(Cache(Path(sys.argv[1])), None, "net").path.name, flush=True)
sys.stdin.read()
"""


def test_a_start_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), RunFolder.new(Cache(tmp_path), None, "net") as folder:
        assert folder.path == tmp_path / "runs" / "net-1"
        raise RuntimeError
    assert not folder.path.exists()


@pytest.mark.slow
def test_two_starts_at_once_get_two_names(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline().strip() == "net-1"
        with RunFolder.new(Cache(tmp_path), None, "net") as ours:
            assert ours.path.name == "net-2"
        with pytest.raises(ConfigError, match="another process trains the run 'net-1'"):
            RunFolder.new(Cache(tmp_path), "net-1", "net")
        other.kill()
    with RunFolder.new(Cache(tmp_path), None, "net") as again:  # nothing was begun there
        assert again.path.name == "net-1"


def test_a_run_goes_on_in_one_process_only(tmp_path: Path) -> None:
    with RunFolder.new(Cache(tmp_path), "mine", "net") as folder:
        (folder.path / STATE).touch()
        again = RunFolder.existing(Cache(tmp_path), "mine")
        with pytest.raises(ConfigError, match="another process trains the run 'mine'"):
            again.hold()
    again.hold()
    again.release()
    assert (folder.path / STATE).exists()


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    with RunFolder.new(Cache(tmp_path), "mine", "net") as folder:
        (folder.path / STATE).touch()
    with pytest.raises(ConfigError, match="the run 'mine' exists; continue it with --resume"):
        RunFolder.new(Cache(tmp_path), "mine", "net")
    with pytest.raises(CheckpointError, match="no run to resume"):
        RunFolder.existing(Cache(tmp_path), "other")


def test_best_is_the_highest_of_the_latest(tmp_path: Path) -> None:
    with RunFolder.new(Cache(tmp_path), None, "net") as folder:
        assert folder.metrics.scores() == []
        for step, score in ((1, 0.2), (2, 0.5), (3, 0.5), (4, 0.4)):
            folder.save_checkpoint({}, INFO, step, score)
            if score == 0.5:
                assert (folder.path / BEST).samefile(folder.path / LAST), "written once"
        assert folder.metrics.best_map() == 0.5
        assert folder.metrics.scores() == [0.2, 0.5, 0.5, 0.4]
        assert not (folder.path / BEST).samefile(folder.path / LAST)
        assert folder.has_checkpoint(4, scored=True)
        assert not folder.has_checkpoint(3, scored=False)
        folder.save_checkpoint({}, INFO, 5, None)
        assert folder.has_checkpoint(5, scored=False)
        assert not folder.has_checkpoint(5, scored=True)  # killed before its evaluation


def test_a_run_keeps_its_final_score(tmp_path: Path) -> None:
    with RunFolder.new(Cache(tmp_path), None, "net") as folder:
        folder.save_checkpoint({"w": torch.ones(2)}, INFO, 3, 0.5)
        folder.finish(3, FinalScore(0.75, "val", 9, None))
        tensors, info = load_checkpoint(folder.path / BEST)
        assert info.training == {
            **{"step": 3, "map_val": 0.5, "finished": 3},
            **{"map": 0.75, "map_split": "val", "map_images": 9},
        }
        assert tensors["w"].tolist() == [1, 1]
        assert folder.metrics.rows()[-1] == {"step": 3, "final_map": 0.75}
        assert folder.metrics.best_map() == 0.5


def test_a_line_that_a_crash_cut_short_is_ignored(tmp_path: Path) -> None:
    with RunFolder.new(Cache(tmp_path), None, "net") as folder:
        (folder.path / METRICS).write_text('{"step": 1, "map": 0.5}\n{"step": 2, "ma')
        assert folder.metrics.rows() == [{"step": 1, "map": 0.5}]
