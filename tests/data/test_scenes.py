from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from frcnn_cli.boxes import iou
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.images import load_image
from frcnn_cli.data.scenes import CLASSES, SHORTEST, draw_scene, generate
from frcnn_cli.data.scenes.painting import lay, paint
from frcnn_cli.data.scenes.toys import CLUTTER, TOYS, Toy

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


@pytest.mark.parametrize("toy", [*TOYS.values(), *CLUTTER], ids=lambda toy: toy.draw.__name__)
def test_a_toy_is_finite_and_fills_its_patch(toy: Toy) -> None:
    for seed in range(8):
        sprite = paint(np.random.default_rng(seed), toy, LIGHT, (200, 240), outside=0)
        cover = sprite.pixels[..., 3]
        assert sprite.pixels.shape == (200, 240, 4)
        assert np.isfinite(sprite.pixels).all()
        assert 0 <= cover.min() <= cover.max() <= 1
        rows, columns = np.nonzero(cover > 0.5)
        assert max(np.ptp(rows), np.ptp(columns)) > 0.5 * toy.sizes[0]


def test_a_shadow_falls_away_from_the_light() -> None:
    canvas = np.full((200, 200, 3), 0.5, np.float32)
    sprite = paint(np.random.default_rng(0), TOYS["ball"], LIGHT, (200, 200), outside=0)
    lay(canvas, sprite, LIGHT)
    rows = np.flatnonzero((sprite.pixels[..., 3] > 0).any(axis=1))
    above, below = canvas[rows[0] - 1].mean(), canvas[rows[-1] + 1].mean()
    assert below < above - 0.02


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
