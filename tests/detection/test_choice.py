"""The choice of a command's detector."""

from __future__ import annotations

from pathlib import Path

import pytest

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import Settings
from frcnn_cli.detection.choice import choose_checkpoint, find_checkpoint, proposals_for
from frcnn_cli.detection.detector import BUNDLED
from frcnn_cli.errors import CheckpointError, ConfigError, FrcnnError


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """A cache with a run "mine"."""
    folder = tmp_path / "cache/runs/mine"
    folder.mkdir(parents=True)
    (folder / "best.safetensors").touch()
    return Cache(tmp_path / "cache")


def test_a_detector_is_called_in_many_ways(cache: Cache, tmp_path: Path) -> None:
    folder = cache.root / "runs/mine"
    best = folder / "best.safetensors"
    other = tmp_path / "other.bin"
    other.touch()
    for named in (None, folder, Path("mine")):
        assert choose_checkpoint(named, cache).file == best
        assert choose_checkpoint(named, cache).words == "run mine"
    assert choose_checkpoint(None, cache, "mine").file == best
    assert choose_checkpoint(best, cache).words == str(best)
    assert choose_checkpoint(other, cache).file == other
    for chosen in (
        choose_checkpoint(Path("bundled"), cache),
        choose_checkpoint(None, Cache(tmp_path / "empty")),
    ):
        assert (chosen.file, chosen.name, chosen.words) == (BUNDLED, "bundled", "bundled")


@pytest.mark.parametrize(
    ("trained", "file", "flag", "tiles"),
    [
        (0, None, None, 0),
        (640, None, None, 640),
        (640, 300, None, 300),
        (640, 300, 0, 0),
        (640, None, 0, 0),
        (0, None, 500, 500),
    ],
)
def test_a_detector_sees_the_tiles_of_its_training_unless_others_are_set(
    trained: int,
    file: int | None,
    flag: int | None,
    tiles: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    settings = Settings({} if file is None else {"proposals": {"tiles": file, "max_side": 0}})
    assert proposals_for(trained, settings, flag).tiles == tiles
    warning = "images are seen in tiles of 640 pixels, as in training"
    assert caplog.messages == ([warning] if tiles == 640 else [])


def test_a_run_may_be_called_like_a_folder_here(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert choose_checkpoint(Path("mine"), cache).words == "run mine"


def test_a_file_of_detections_is_not_a_checkpoint(cache: Cache, tmp_path: Path) -> None:
    boxes, voc = tmp_path / "boxes.json", tmp_path / "voc"
    boxes.touch()
    voc.mkdir()
    assert [find_checkpoint(each, cache) for each in (boxes, voc, Path("gone"))] == [None] * 3
    assert find_checkpoint(Path("mine"), cache) == choose_checkpoint(Path("mine"), cache)


@pytest.mark.parametrize(
    ("named", "run", "error", "message"),
    [
        ("gone", None, CheckpointError, "there is no file and no run 'gone'; .* runs are: mine"),
        ("a/b", None, CheckpointError, "there is no file and no run 'a/b'"),
        (None, "gone", CheckpointError, "there is no run 'gone' .* runs are: mine"),
        (None, "../x", ConfigError, "cannot be the name of a run"),
        ("mine", "mine", ConfigError, "both given"),
        (".", None, CheckpointError, "is a folder without best.safetensors; name the folder of a"),
    ],
)
def test_what_is_not_there(
    cache: Cache, named: str | None, run: str | None, error: type[FrcnnError], message: str
) -> None:
    with pytest.raises(error, match=message):
        choose_checkpoint(None if named is None else Path(named), cache, run)
