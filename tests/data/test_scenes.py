from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from frcnn_cli.boxes import iou
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.images import load_image
from frcnn_cli.data.scenes import CLASSES, SHORTEST, draw_scene, generate
from frcnn_cli.data.scenes.objects import MAKERS
from frcnn_cli.data.scenes.sprites import lay, place, toy

LIGHT = np.array([0.0, -0.6, 0.8], np.float32)


def test_the_folder_is_a_data_set(scenes: Path) -> None:
    dataset = find_dataset(scenes)
    sizes = {name: len(ids) for name, ids in dataset.splits.items()}
    assert dataset.format == "VOC year folder"
    assert sizes == {"train": 8, "val": 2, "trainval": 10, "test": 4}
    assert dataset.classes == CLASSES == ("ball", "fish", "leaf", "mug")
    assert set(dataset.split("trainval")).isdisjoint(dataset.split("test"))


def test_every_scene_has_objects_of_a_fair_size(scenes: Path) -> None:
    dataset = find_dataset(scenes)
    for split in ("trainval", "test"):
        for sample in dataset.samples(split):
            sides = sample.boxes[:, 2:] - sample.boxes[:, :2]
            assert len(sample.boxes) > 0
            assert sides.min() >= SHORTEST
            height, width, _ = load_image(sample.path).shape
            assert 288 <= max(width, height) <= 400


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, scenes: Path) -> None:
    generate(tmp_path, train=2, test=1, seed=0)
    first = tmp_path / "JPEGImages" / "000001.jpg"
    assert first.read_bytes() == (scenes / "JPEGImages" / "000001.jpg").read_bytes()
    test = tmp_path / "JPEGImages" / "000003.jpg"  # 000011 where trainval has ten
    assert test.read_bytes() == (scenes / "JPEGImages" / "000011.jpg").read_bytes()
    generate(tmp_path, train=1, test=0, seed=1)
    assert first.read_bytes() != (scenes / "JPEGImages" / "000001.jpg").read_bytes()


@pytest.mark.parametrize("kind", MAKERS)
def test_a_toy_is_finite_and_fills_its_patch(kind: str) -> None:
    for seed in range(8):
        sprite = toy(np.random.default_rng(seed), kind, 80, LIGHT)
        assert sprite.colour.shape == (80, 80, 3)
        assert np.isfinite(sprite.colour).all()
        assert 0 <= sprite.cover.min() <= sprite.cover.max() <= 1
        assert sprite.cover.mean() > 0.15


def test_place_cuts_at_the_border() -> None:
    patch = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert place(patch, -1, -2, (2, 2)).tolist() == [[7, 8], [0, 0]]
    assert place(patch, 1, 1, (2, 2)).tolist() == [[0, 0], [0, 0]]
    assert place(patch, 5, -9, (2, 2)).sum() == 0


def test_a_shadow_falls_away_from_the_light() -> None:
    canvas = np.full((120, 120, 3), 0.5, np.float32)
    lay(canvas, toy(np.random.default_rng(0), "ball", 40, LIGHT), 40, 40, LIGHT)
    above, below = canvas[38, 50:70].mean(), canvas[82, 50:70].mean()
    assert below < above - 0.05


@pytest.mark.slow
def test_selective_search_proposes_the_objects() -> None:
    best: list[float] = []
    for index in range(20):
        scene = draw_scene(np.random.default_rng([1, index]))
        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
        search.setBaseImage(np.ascontiguousarray(scene.image[..., ::-1]))
        search.switchToSelectiveSearchFast()
        regions = search.process().astype(np.float32)
        regions[:, 2:] += regions[:, :2]
        best += iou(regions, scene.boxes).max(axis=0).tolist()
    assert np.mean(np.array(best) >= 0.5) >= 0.98
    assert np.median(best) >= 0.8
