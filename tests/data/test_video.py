"""Frames of videos: which, when, and in the right colours."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from frcnn_cli.data.video import is_video, read_frame, sample_frames
from frcnn_cli.errors import ImageError


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """25 frames, 10 per second; frame n is red with n · 10."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for number in range(25):
        writer.write(np.full((48, 64, 3), (0, 0, number * 10), np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(
    ("every", "numbers"),
    [(1.0, [0, 10, 20]), (0.75, [0, 8, 15, 22]), (100.0, [0]), (0.001, [*range(25)])],
)
def test_a_frame_every_so_often(clip: Path, every: float, numbers: list[int]) -> None:
    frames = sample_frames(clip, every)
    assert [number for number, _ in frames] == numbers
    assert [time for _, time in frames] == pytest.approx([number / 10 for number in numbers])


def test_a_frame_is_the_one_that_was_asked_for_in_rgb(clip: Path) -> None:
    for number in (0, 7, 24):
        frame = read_frame(clip, number)
        assert frame.shape == (48, 64, 3)
        np.testing.assert_allclose(frame.mean(axis=(0, 1)), (number * 10, 0, 0), atol=6)
    with pytest.raises(ImageError, match="frame 99 is damaged"):
        read_frame(clip, 99)


def test_videos_are_known_by_their_ending_and_refused_by_their_content(tmp_path: Path) -> None:
    assert is_video(Path("A.MP4"))
    assert not is_video(Path("mp4.jpg"))
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(ImageError, match=r"no\.mp4: is not a video that OpenCV can read; convert"):
        sample_frames(tmp_path / "no.mp4", 1)
    with pytest.raises(ImageError, match="does not exist"):
        sample_frames(tmp_path / "missing.mp4", 1)


def test_a_video_that_is_cut_off_is_read_as_far_as_it_goes(clip: Path, tmp_path: Path) -> None:
    """MJPG without its index, in the middle of a frame."""
    whole = clip.read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    times = [time for _, time in sample_frames(tmp_path / "cut.avi", 0.1)]
    assert 0 < len(times) < 25
