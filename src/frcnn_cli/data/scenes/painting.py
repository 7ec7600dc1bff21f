"""Paints toys with their light and shadow, and the tabletops that they lie on."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from frcnn_cli.data.scenes.toys import Layer, Shape, Toy

FloatImage = npt.NDArray[np.float32]

OVERSAMPLING = 3
"""Toys are painted this many times larger and averaged down, which smooths their edges."""


class Sprite(NamedTuple):
    """A lit toy on its canvas: colour and coverage (H, W, 4) in 0..1, height above the table."""

    pixels: FloatImage
    lift: float


TABLES = (
    # dark, light, pixels per grain, how many times longer than high the grain is
    ((92, 56, 31), (148, 97, 56), 5, 20),
    ((158, 115, 71), (204, 161, 110), 5, 20),
    ((61, 41, 31), (102, 71, 51), 5, 20),
    ((107, 107, 112), (168, 168, 168), 60, 1),
    ((184, 179, 171), (230, 227, 222), 60, 1),
    ((51, 69, 97), (77, 97, 128), 12, 1),
    ((92, 51, 56), (122, 71, 77), 12, 1),
    ((140, 168, 179), (173, 199, 204), 25, 6),
    ((189, 173, 153), (219, 209, 189), 25, 6),
    ((128, 122, 143), (158, 153, 173), 25, 6),
)


def noise(
    rng: np.random.Generator, shape: tuple[int, int], grain: float, stretch: float = 1
) -> FloatImage:
    """Returns smooth noise (H, W) in 0..1: random grids, each twice as fine and half as strong.

    Args:
        rng: source of the random grids.
        shape: (height, width) in pixels.
        grain: pixels between the coarsest grid's rows.
        stretch: how many times farther apart its columns are.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(4):
        step = max(grain / 2**octave, 1)
        grid = rng.random((int(height / step) + 2, int(width / (step * stretch)) + 2), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return np.asarray(cv2.normalize(total, None, 0, 1, cv2.NORM_MINMAX), np.float32)


def table(rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
    """Returns a tabletop (H, W, 3) in 0..1 of wood, stone, cloth or paint."""
    dark, light, grain, stretch = TABLES[rng.integers(len(TABLES))]
    share = 0.8 * noise(rng, shape, grain, stretch) + 0.2 * noise(rng, shape, 100)
    colours = np.array(dark) + np.subtract(light, dark) * share[..., None]
    return np.asarray(colours / 255, np.float32)


def paint(
    rng: np.random.Generator,
    toy: Toy,
    light: FloatImage,
    shape: tuple[int, int],
    *,
    outside: float,
) -> Sprite:
    """Returns a toy as it looks under a lamp, somewhere on a canvas.

    Args:
        rng: decides its size, place, turn and colours.
        toy: what to paint.
        light: unit vector (3,) towards the lamp.
        shape: (H, W) of the canvas.
        outside: share of its patch that may lie outside of the canvas at a border.
    """
    size = int(rng.integers(*toy.sizes))
    angle = np.deg2rad(rng.uniform(-1, 1) * toy.turn)
    picture = Image.new("RGBA", (size * OVERSAMPLING,) * 2)
    for layer in toy.draw(rng):
        picture.alpha_composite(_painted(layer, picture.width, angle))
    small = picture.resize((size, size), Image.Resampling.BOX)
    patch = np.array(small, np.float32) / np.float32(255)
    normals = _normals(patch[..., 3], toy.bulge * size / 2)
    halfway = light + np.array((0, 0, 1))  # between the lamp and the eye
    shine = np.clip(normals @ (halfway / np.linalg.norm(halfway)), 0, 1) ** 40
    shade = 0.35 + 0.7 * np.clip(normals @ light, 0, 1)
    shade *= 0.9 + 0.2 * noise(rng, (size, size), 6)
    patch[..., :3] = patch[..., :3] * shade[..., None] + toy.gloss * shine[..., None]
    top, left = rng.uniform(-outside * size, np.array(shape) - (1 - outside) * size).round()
    return Sprite(_moved(patch, left, top, shape), toy.lift * size / 2)


def lay(canvas: FloatImage, sprite: Sprite, light: FloatImage) -> None:
    """Paints a sprite and its shadow, which falls away from the light, onto a canvas in place.

    Args:
        canvas: (H, W, 3) float32.
        sprite: what to paint.
        light: (3,) direction towards the light.
    """
    right, down = (-sprite.lift * light[:2]).tolist()
    cast = _moved(sprite.pixels[..., 3], right, down, canvas.shape[:2])
    canvas *= 1 - 0.5 * cv2.GaussianBlur(cast, (0, 0), 1 + 0.35 * sprite.lift)[..., None]
    canvas += (sprite.pixels[..., :3] - canvas) * sprite.pixels[..., 3:]


def _moved(patch: FloatImage, right: float, down: float, shape: tuple[int, int]) -> FloatImage:
    """Returns a patch moved by so many pixels on an empty canvas of `shape` (H, W)."""
    matrix = np.array([[1, 0, right], [0, 1, down]])
    return np.asarray(cv2.warpAffine(patch, matrix, shape[::-1]), np.float32)


def _painted(layer: Layer, side: int, angle: float) -> Image.Image:
    """Returns a layer alone, turned by `angle` in radians, (side, side) RGBA."""
    cos, sin = np.cos(angle), np.sin(angle)

    def pixels(shape: Shape) -> list[float]:
        turned = shape @ np.array(((cos, sin), (-sin, cos)))
        return ((turned + 1) * (side / 2)).ravel().tolist()

    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).polygon(pixels(layer.outline), fill=255)
    paint = Image.new("RGB", (side, side), layer.colour)
    draw = ImageDraw.Draw(paint)
    for shape, colour in layer.details:
        draw.polygon(pixels(shape), fill=colour)
    paint.putalpha(mask)
    return paint


def _normals(cover: FloatImage, bulge: float) -> FloatImage:
    """Returns the unit normals (S, S, 3) of a flat toy whose edge is round, `bulge` pixels wide."""
    inside = cv2.distanceTransform(
        (cover > 0.5).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    steep = 1 - np.clip(inside / bulge, 0, 1)
    height = cv2.GaussianBlur(bulge * np.sqrt(1 - steep**2), (0, 0), 1 + 0.1 * bulge)
    down, right = np.gradient(height)
    normals = np.dstack((-right, -down, np.ones_like(height)))
    return np.asarray(normals / np.linalg.norm(normals, axis=2, keepdims=True), np.float32)
