"""A small generated data set: photo-like scenes of toys on tabletops, with VOC annotations.

It stands in for a user's images where there are none, in the demonstration and in tests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from frcnn_cli.data.formats.voc_xml import write_annotation
from frcnn_cli.data.scenes.objects import MAKERS
from frcnn_cli.data.scenes.sprites import lay, pebble, place, stick, toy
from frcnn_cli.data.scenes.textures import FloatImage, fractal_noise, surface
from frcnn_cli.records import FloatArray, as_boxes

CLASSES = tuple(sorted(MAKERS))
"""The classes of a generated data set."""

SIZES = ((384, 288), (360, 270), (400, 300), (288, 384), (320, 320))
"""Widths and heights of the scenes, pixels."""
SMALLEST: Mapping[str, int] = {"ball": 58, "fish": 72, "leaf": 96, "mug": 64}
"""Least size of a toy's square patch, pixels; a leaf fills little of it."""
LARGEST = 190
"""Greatest size of a toy's patch, pixels."""
VISIBLE = 0.70
"""Least share of each toy that the toys before it and the picture's border leave in sight."""
SHORTEST = 48
"""Least side of an annotated box, pixels."""


class Spot(NamedTuple):
    """Where a toy of class `kind` goes: the corner of its square patch and its size, pixels."""

    kind: str
    left: int
    top: int
    size: int


@dataclass(frozen=True, slots=True)
class Scene:
    """One generated picture: pixels (H, W, 3) uint8, class names (N,) and boxes (N, 4) xyxy."""

    image: npt.NDArray[np.uint8]
    names: tuple[str, ...]
    boxes: FloatArray


def generate(folder: Path, *, train: int, test: int, seed: int = 0) -> None:
    """Writes a data set in the layout of a VOC year folder.

    The splits are `trainval` (`train` scenes; every fifth of them is `val`, the others are
    `train`) and `test`. The same arguments give the same bytes with the same versions of NumPy,
    OpenCV and Pillow, and a scene does not depend on how many others there are.

    Args:
        folder: receives `JPEGImages`, `Annotations` and `ImageSets/Main`; files are replaced.
        train: scenes in `trainval`.
        test: scenes in `test`.
        seed: decides everything.
    """
    lists = folder / "ImageSets" / "Main"
    for path in (folder / "JPEGImages", folder / "Annotations", lists):
        path.mkdir(parents=True, exist_ok=True)
    trainval = [f"{i:06d}" for i in range(1, train + 1)]
    tests = [f"{i:06d}" for i in range(train + 1, train + test + 1)]
    for split, ids in enumerate((trainval, tests)):
        for index, image_id in enumerate(ids):
            rng = np.random.default_rng([seed, split, index])
            _write(folder, image_id, draw_scene(rng), rng)
    splits = {
        "trainval": trainval,
        "train": [name for i, name in enumerate(trainval) if i % 5 != 4],
        "val": trainval[4::5],
        "test": tests,
    }
    for split_name, ids in splits.items():
        text = "".join(f"{image_id}\n" for image_id in ids)
        (lists / f"{split_name}.txt").write_text(text, encoding="utf-8")


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draws two to five toys with clutter on a random tabletop."""
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    light = _light(rng)
    canvas = surface(rng, (height, width))
    _add_clutter(rng, canvas, light)
    names, covers = _add_toys(rng, canvas, light)
    boxes = as_boxes([_extent(cover) for cover in covers])
    return Scene(_developed(rng, canvas), names, boxes)


def _write(folder: Path, image_id: str, scene: Scene, rng: np.random.Generator) -> None:
    filename = f"{image_id}.jpg"
    picture = Image.fromarray(scene.image)
    picture.save(folder / "JPEGImages" / filename, quality=int(rng.integers(84, 94)))
    write_annotation(
        folder / "Annotations" / f"{image_id}.xml",
        filename=filename,
        size=picture.size,
        names=scene.names,
        boxes=scene.boxes,
    )


def _light(rng: np.random.Generator) -> FloatImage:
    """Returns a unit vector (3,) towards a lamp above and behind the table."""
    angle = rng.uniform(np.deg2rad(200), np.deg2rad(340))
    light = np.array([np.cos(angle), np.sin(angle), rng.uniform(1.0, 1.6)], np.float32)
    unit: FloatImage = light / np.linalg.norm(light)
    return unit


def _add_clutter(rng: np.random.Generator, canvas: FloatImage, light: FloatImage) -> None:
    height, width = canvas.shape[:2]
    for _ in range(int(rng.integers(2, 7))):
        sprite = (
            pebble(rng, int(rng.integers(12, 30)), light)
            if rng.random() < 0.65
            else stick(rng, int(rng.integers(80, 150)), light)
        )
        size = len(sprite.cover)
        left = int(rng.integers(-size // 2, width - size // 2))
        top = int(rng.integers(-size // 2, height - size // 2))
        lay(canvas, sprite, left, top, light)


def _add_toys(
    rng: np.random.Generator, canvas: FloatImage, light: FloatImage
) -> tuple[tuple[str, ...], list[FloatImage]]:
    """Lays the toys, the farthest first; returns their classes and what is seen of each."""
    height, width = canvas.shape[:2]
    names: list[str] = []
    whole: list[float] = []
    seen: list[FloatImage] = []
    spots = sorted(_spots(rng, width, height), key=lambda spot: spot.top + spot.size)
    for kind, left, top, size in spots:
        sprite = toy(rng, kind, size, light)
        cover = place(sprite.cover, left, top, (height, width))
        left_over = [other * (1 - cover) for other in seen]
        shares = [float(o.sum()) / w for o, w in zip(left_over, whole, strict=True)]
        area = float(sprite.cover.sum())
        shares.append(float(cover.sum()) / area)
        boxes = [_extent(other) for other in (*left_over, cover)]
        if min(shares) < VISIBLE or min(min(b[2] - b[0], b[3] - b[1]) for b in boxes) < SHORTEST:
            continue
        lay(canvas, sprite, left, top, light)
        names.append(kind)
        whole.append(area)
        seen = [*left_over, cover]
    return tuple(names), seen


def _spots(rng: np.random.Generator, width: int, height: int) -> list[Spot]:
    """Returns where up to five toys go so that they overlap only a little."""
    spots: list[Spot] = []
    wanted = int(rng.integers(2, 6))
    for _ in range(40):
        if len(spots) == wanted:
            break
        kind = CLASSES[int(rng.integers(len(CLASSES)))]
        low = np.log(SMALLEST[kind])
        size = int(np.exp(rng.uniform(low, np.log(LARGEST))))
        spot = Spot(
            kind,
            int(rng.integers(-size // 12, width - size + size // 12)),
            int(rng.integers(-size // 12, height - size + size // 12)),
            size,
        )
        apart = 0.36 if rng.random() < 0.5 else 0.5
        if all(_distance(spot, other) > apart * (size + other.size) for other in spots):
            spots.append(spot)
    return spots


def _distance(one: Spot, other: Spot) -> float:
    dx = one.left - other.left + (one.size - other.size) / 2
    dy = one.top - other.top + (one.size - other.size) / 2
    return math.hypot(dx, dy)


def _extent(cover: FloatImage) -> tuple[float, float, float, float]:
    """Returns the edges x1, y1, x2, y2 of what is at least half covered; zeros where nothing is."""
    columns, rows = (np.flatnonzero((cover > 0.5).any(axis=axis)) for axis in (0, 1))
    if not len(columns):
        return 0.0, 0.0, 0.0, 0.0
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _developed(rng: np.random.Generator, canvas: FloatImage) -> npt.NDArray[np.uint8]:
    """Returns what a camera makes of the scene: uneven light, white balance, blur and noise."""
    height, width = canvas.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    falloff = 1 + 0.14 * (x * math.cos(angle) + y * math.sin(angle)) - 0.10 * (x**2 + y**2)
    clouds = 0.92 + 0.16 * fractal_noise(rng, (height, width), cell=160, octaves=2)
    balance = rng.uniform(0.94, 1.06, 3) * rng.uniform(0.92, 1.12)
    picture = canvas * (falloff * clouds)[..., None] * balance.astype(np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 0.8)))
    picture += rng.standard_normal(picture.shape, np.float32) * np.float32(
        rng.uniform(0.006, 0.016)
    )
    pixels: npt.NDArray[np.uint8] = (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels
