"""A checkpoint cut to lower ranks is an ordinary checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch

from frcnn_cli.cache.checkpoints import CheckpointInfo, load_checkpoint, save_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, InputConfig, ModelConfig, ProposalConfig, SpeedConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.data.scenes import CLASSES
from frcnn_cli.deploy.compress import Validation, compress_to, compress_within
from frcnn_cli.detection.detector import BUNDLED, DetectionJob, LoadedDetector
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.loop import detect_image
from frcnn_cli.errors import ConfigError
from frcnn_cli.model.build import build_model
from frcnn_cli.records import Detections

CPU = torch.device("cpu")
EXACT = SpeedConfig("float32")
PERSON = 15
BOXES = np.array([[0, 0, 512, 600], [51, 30, 486, 600], [0, 300, 256, 600]], np.float32)
"""Proposals of the portrait that matplotlib ships, 512 × 600 pixels."""


def detect(checkpoint: Path) -> Detections:
    """Every detection in the portrait, in float32."""
    portrait = load_image(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    detector = LoadedDetector.load(checkpoint, CPU, EXACT)
    job = DetectionJob(detector, None, ProposalConfig(), DetectConfig(score_threshold=0.0))
    return detect_image(ImageInput(None, portrait, BOXES), job).detections


def test_a_compressed_checkpoint_detects_the_same_object(tmp_path: Path) -> None:
    out = tmp_path / "small.safetensors"
    result = compress_to(BUNDLED, out, {"fc6": 64, "fc7": 0})
    _, info = load_checkpoint(out)
    assert (info.model.fc6_rank, info.model.fc7_rank) == (64, 0)
    assert info.classes == load_checkpoint(BUNDLED)[1].classes
    assert out.stat().st_size < BUNDLED.stat().st_size * 2  # float32, the bundled one is float16
    assert result.after.parameters == 64 * (11520 + 256) + 256 * 256
    whole, small = detect(BUNDLED), detect(out)
    assert whole.labels[0] == small.labels[0] == PERSON
    assert small.scores[0] == pytest.approx(whole.scores[0], abs=0.1)
    np.testing.assert_allclose(small.boxes[0], whole.boxes[0], atol=20)
    assert not np.array_equal(small.scores, whole.scores)


def test_full_rank_differs_from_the_whole_by_rounding(tmp_path: Path) -> None:
    out = tmp_path / "same.safetensors"
    whole = {"fc6": load_checkpoint(BUNDLED)[1].model.fc6_rank, "fc7": 256}
    compress_to(BUNDLED, out, whole)
    one, other = detect(BUNDLED), detect(out)
    np.testing.assert_array_equal(one.labels, other.labels)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=0.01)


@pytest.mark.parametrize("ranks", [{"fc6": 0, "fc7": 0}, {"fc6": 257, "fc7": 0}])
def test_ranks_that_cannot_be_are_refused(ranks: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rank"):
        compress_to(BUNDLED, tmp_path / "out.safetensors", ranks)
    assert not list(tmp_path.iterdir())


def test_the_detector_itself_is_not_replaced(tmp_path: Path) -> None:
    source, link = tmp_path / "best.safetensors", tmp_path / "link.safetensors"
    source.write_bytes(BUNDLED.read_bytes())
    link.symlink_to(source)
    for out in (source, link):
        with pytest.raises(ConfigError, match="is the detector that is compressed; name another"):
            compress_to(source, out, {"fc6": 8, "fc7": 8})
    assert source.read_bytes() == BUNDLED.read_bytes()


def test_what_is_compressed_twice_is_what_is_compressed_once(tmp_path: Path) -> None:
    """The closest matrix of rank 4 is that of the closest of rank 8 too; fc7 stays as it was."""
    once, first, twice = (tmp_path / f"{name}.safetensors" for name in ("once", "first", "twice"))
    compress_to(BUNDLED, once, {"fc6": 4, "fc7": 8})
    compress_to(BUNDLED, first, {"fc6": 8, "fc7": 8})
    result = compress_to(first, twice, {"fc6": 4, "fc7": 0})
    assert result.before.ranks == {"fc6": 8, "fc7": 8}
    assert load_checkpoint(twice)[1].model == load_checkpoint(once)[1].model
    one, other = detect(once), detect(twice)
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
    np.testing.assert_allclose(one.boxes, other.boxes, atol=0.1)
    with pytest.raises(ConfigError, match="use a rank from 1 to 8"):
        compress_to(first, tmp_path / "larger.safetensors", {"fc6": 9, "fc7": 0})


@pytest.mark.slow
def test_the_smallest_ranks_within_a_drop(scenes: Path, tmp_path: Path) -> None:
    """A network that knows nothing of the scenes drops by nothing: the least ranks win."""
    source, out = tmp_path / "net.safetensors", tmp_path / "small.safetensors"
    info = CheckpointInfo(ModelConfig(), tuple(sorted(CLASSES)), InputConfig(96, 160))
    save_checkpoint(source, build_model(info.model, len(CLASSES)).state_dict(), info)
    data = shutil.copytree(scenes, tmp_path / "scenes")
    broken = data / "JPEGImages" / f"{(data / 'ImageSets/Main/val.txt').read_text().split()[0]}.jpg"
    broken.write_bytes(broken.read_bytes()[:-2000])  # its header can be read
    validation = Validation(
        *(data, "val", 2, Cache(tmp_path / "cache"), ProposalConfig(preset="single")),
        *(DetectConfig(score_threshold=0.01), CPU),
    )
    result = compress_within(source, out, 1.0, validation=validation)
    assert result.images == 1
    assert [failure.file for failure in result.failures] == [str(broken)]
    assert result.after.parameters == min(trial.parameters for trial in result.trials)
    assert 0 < result.after.ranks["fc6"] < 20
    assert load_checkpoint(out)[1].model.fc6_rank == result.after.ranks["fc6"]
