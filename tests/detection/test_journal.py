"""What is kept of a detection that was stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.detection.journal import Journal
from frcnn_cli.errors import ConfigError
from frcnn_cli.records import DetectedImage, Detections, as_boxes

CLASSES = ("cat", "dog")


def image(name: str, score: float = 0.5) -> DetectedImage:
    found = Detections(
        as_boxes([[1.234, 2, 3333.337, 4]]), np.array([score], np.float32), np.array([2], np.int64)
    )
    return DetectedImage(name, 4000, 10, 7, found, {"decode": 0.25})


def begun(out: Path, *names: str, **settings: int) -> Journal:
    with Journal(out, settings, CLASSES, resume=False) as journal:
        for name in names:
            journal.add(image(name))
    return journal


def test_what_was_added_comes_back_as_it_is_written(tmp_path: Path) -> None:
    out = tmp_path / "boxes.json"
    begun(out, "a.jpg", "b \N{SNOWMAN}.jpg")
    with Journal(out, {}, CLASSES, resume=True) as journal:
        assert len(journal) == 2
        assert "c.jpg" not in journal
        journal.add(image("c.jpg", 1 / 3))
        for name, score in (("b \N{SNOWMAN}.jpg", 0.5), ("c.jpg", 1 / 3)):
            assert journal.read(name).to_json(CLASSES) == image(name, score).to_json(CLASSES)
        journal.discard()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_last_line_that_is_cut_off_does_not_count(tmp_path: Path, cut: int) -> None:
    out = tmp_path / "boxes.json"
    begun(out, "a.jpg", "b.jpg")
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-cut])
    with Journal(out, {}, CLASSES, resume=True) as journal:
        assert "a.jpg" in journal
        assert "b.jpg" not in journal
        journal.add(image("b.jpg"))
    with Journal(out, {}, CLASSES, resume=True) as journal:
        assert journal.read("b.jpg").file == "b.jpg"


def test_a_photograph_that_has_changed_is_done_again(tmp_path: Path) -> None:
    out = tmp_path / "boxes.json"
    same, other = tmp_path / "same.jpg", tmp_path / "other.jpg"
    for path in (same, other):
        path.write_bytes(b"a photograph")
    begun(out, str(same), str(other))
    other.write_bytes(b"another photograph")
    with Journal(out, {}, CLASSES, resume=True) as journal:
        assert str(same) in journal
        assert str(other) not in journal


def test_what_is_not_resumed_is_kept_until_all_is_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "boxes.json"
    begun(out)
    begun(out, "a.jpg")
    assert not caplog.messages  # nothing had been detected before
    begun(out, "b.jpg")  # no more than there was: what is kept stays
    with Journal(out, {}, CLASSES, resume=False) as journal:
        assert "a.jpg" not in journal
        assert "rename .boxes.json.part.old to .boxes.json.part" in caplog.text
        (tmp_path / ".boxes.json.part.old").rename(tmp_path / ".boxes.json.part")
    with Journal(out, {}, CLASSES, resume=True) as journal:
        assert "a.jpg" in journal
        journal.discard()
    assert not list(tmp_path.iterdir())


def test_other_settings_are_refused(tmp_path: Path) -> None:
    begun(tmp_path / "boxes.json", "a.jpg", score=1)
    with (
        pytest.raises(ConfigError, match="other settings"),
        Journal(tmp_path / "boxes.json", {"score": 2}, CLASSES, resume=True),
    ):
        pass


def test_without_resume_it_starts_afresh(tmp_path: Path) -> None:
    begun(tmp_path / "boxes.json", "a.jpg")
    with Journal(tmp_path / "boxes.json", {}, CLASSES, resume=False) as journal:
        assert len(journal) == 0
