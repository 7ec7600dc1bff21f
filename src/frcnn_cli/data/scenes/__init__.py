"""A small generated data set: photo-like scenes of toys on tabletops, with VOC annotations.

It stands in for a user's images where there are none, in the demonstration and in tests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from frcnn_cli.data.inspect.writers import Item, VocFolderWriter
from frcnn_cli.data.record import Record
from frcnn_cli.data.scenes.painting import FloatImage, lay, noise, paint, table
from frcnn_cli.data.scenes.toys import CLUTTER, TOYS
from frcnn_cli.records import FloatArray, as_boxes

CLASSES = tuple(sorted(TOYS))
"""The classes of a generated data set."""

SIZES = ((384, 288), (360, 270), (400, 300), (288, 384), (320, 320))
"""Widths and heights of the scenes, pixels."""
VISIBLE = 0.70
"""Least share of each toy that the toys before it leave in sight."""
SHORTEST = 48
"""Least side of an annotated box, pixels."""
TRIES = 12
"""How many toys are tried in a scene; one that hides another too much is left out."""


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
    ids = [f"{number:06d}" for number in range(1, train + test + 1)]
    trainval, tests = ids[:train], ids[train:]
    splits = {
        "trainval": trainval,
        "train": [name for i, name in enumerate(trainval) if i % 5 != 4],
        "val": trainval[4::5],
        "test": tests,
    }
    writer = VocFolderWriter(folder, splits)
    for split in ("trainval", "test"):
        for index, image_id in enumerate(splits[split]):
            rng = np.random.default_rng([seed, int(split == "test"), index])
            scene = draw_scene(rng)
            picture = Image.fromarray(scene.image)
            is_difficult = np.zeros(len(scene.names), np.bool_)
            record = Record(
                Path(f"{image_id}.jpg"), folder, scene.names, scene.boxes, is_difficult, places=()
            )
            place = writer.add(Item(image_id, split, image_id, picture.size, record))
            picture.save(place, quality=int(rng.integers(84, 94)))
    writer.close()


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draws clutter and up to five toys on a random tabletop."""
    width, height = SIZES[rng.integers(len(SIZES))]
    canvas = table(rng, (height, width))
    angle = rng.uniform(math.radians(200), math.radians(340))  # the lamp stands behind the table
    light = np.array((math.cos(angle), math.sin(angle), rng.uniform(1.0, 1.6)), np.float32)
    light /= np.linalg.norm(light)
    for _ in range(rng.integers(2, 7)):
        kind = CLUTTER[rng.integers(len(CLUTTER))]
        lay(canvas, paint(rng, kind, light, (height, width), outside=0.5), light)
    names: list[str] = []
    wholes: list[FloatImage] = []
    seen: list[FloatImage] = []
    wanted = rng.integers(2, 6)
    for _ in range(TRIES):
        if len(names) == wanted:
            break
        name = CLASSES[rng.integers(len(CLASSES))]
        sprite = paint(rng, TOYS[name], light, (height, width), outside=0.08)
        cover = sprite.pixels[..., 3]
        left = [*(other * (1 - cover) for other in seen), cover]
        if _all_in_sight(left, [*wholes, cover]):
            lay(canvas, sprite, light)
            names, wholes, seen = [*names, name], [*wholes, cover], left
    return Scene(_developed(rng, canvas), tuple(names), as_boxes([_extent(c) for c in seen]))


def _all_in_sight(seen: list[FloatImage], wholes: list[FloatImage]) -> bool:
    """Returns whether enough of each toy is seen, and its box is large enough."""
    shares = [part.sum() / whole.sum() for part, whole in zip(seen, wholes, strict=True)]
    boxes = as_boxes([_extent(part) for part in seen])
    shortest = (boxes[:, 2:] - boxes[:, :2]).min()
    return bool(min(shares) >= VISIBLE and shortest >= SHORTEST)


def _extent(cover: FloatImage) -> tuple[float, float, float, float]:
    """Returns the edges x1, y1, x2, y2 of what is at least half covered; zeros where nothing is."""
    left, top, width, height = cv2.boundingRect((cover > 0.5).astype(np.uint8))
    return left, top, left + width, top + height


def _developed(rng: np.random.Generator, canvas: FloatImage) -> npt.NDArray[np.uint8]:
    """Returns what a camera makes of the scene: uneven light, white balance, blur and noise."""
    uneven = 0.8 + 0.35 * noise(rng, canvas.shape[:2], 200)
    balance = rng.uniform(0.94, 1.06, 3) * rng.uniform(0.92, 1.12)
    blur, grain = rng.uniform(0.4, 0.8), rng.uniform(0.006, 0.016)
    picture = cv2.GaussianBlur(canvas * uneven[..., None] * balance, (0, 0), blur)
    picture = picture + grain * rng.standard_normal(canvas.shape)
    return np.asarray(np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
