"""Lights toys and clutter, and lays them with their shadows onto a canvas."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from frcnn_cli.data.scenes.objects import BRIGHT, DARK, MAKERS, Paint, make_paint, over
from frcnn_cli.data.scenes.textures import FloatImage, flat, fractal_noise, mix, smoothstep

OVERSAMPLING = 2
"""Sprites are painted this many times larger and averaged down, which smooths their edges."""

LIFT = {"ball": 0.20, "fish": 0.10, "leaf": 0.035, "mug": 0.16}
"""How far a toy's shadow falls, in units of its size."""
TILT = {"ball": 180.0, "fish": 35.0, "leaf": 180.0, "mug": 10.0}
"""How far a toy may be turned in the picture, degrees to either side."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """A lit patch: colour (S, S, 3) and coverage (S, S), and how far its shadow falls in pixels."""

    colour: FloatImage
    cover: FloatImage
    lift: float


def toy(rng: np.random.Generator, kind: str, size: int, light: FloatImage) -> Sprite:
    """Returns a toy of class `kind`, about `size` pixels across, lit from `light` (3,).

    Args:
        rng: decides turn and colours.
        kind: a key of `MAKERS`.
        size: pixels across.
        light: unit vector (3,) towards the light.
    """
    angle = np.deg2rad(rng.uniform(-1, 1) * TILT[kind])
    x, y = _grid(size * OVERSAMPLING)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    paint = MAKERS[kind](rng, cos * x + sin * y, cos * y - sin * x)
    # The normals turn with the toy; the light does not.
    nx, ny = cos * paint.nx - sin * paint.ny, sin * paint.nx + cos * paint.ny
    return _sprite(replace(paint, nx=nx, ny=ny), size, LIFT[kind] * size, light)


def pebble(rng: np.random.Generator, size: int, light: FloatImage) -> Sprite:
    """Returns a small stone: clutter that belongs to no class."""
    u, v = _grid(size * OVERSAMPLING)
    around = np.arctan2(v, u)
    bumps = sum(
        0.07 * np.sin(waves * around + phase)
        for waves, phase in enumerate(rng.uniform(0, 2 * np.pi, 3).tolist(), 2)
    )
    radius = np.hypot(u, v / float(rng.uniform(0.6, 0.95))) / (0.8 + bumps)
    grey = float(rng.uniform(0.25, 0.6))
    grain = fractal_noise(rng, (u.shape[0], u.shape[1]), cell=8, octaves=3)
    albedo = mix((grey, grey, grey), (grey + 0.2, grey + 0.17, grey + 0.13), grain)
    steep = np.clip(radius, 0, 1) ** 2
    cover = smoothstep(1.0, 0.94, radius)
    stone = make_paint(cover, albedo, steep * np.cos(around), steep * np.sin(around), 0.1 + 0 * u)
    return _sprite(stone, size, 0.1 * size, light)


def stick(rng: np.random.Generator, size: int, light: FloatImage) -> Sprite:
    """Returns a pencil with a sharpened end: clutter that belongs to no class."""
    angle = rng.uniform(0, 2 * np.pi)
    x, y = _grid(size * OVERSAMPLING)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = cos * x + sin * y, cos * y - sin * x
    thick = max(0.05, 3.5 / size)
    taper = np.asarray(thick * np.clip((0.95 - u) / 0.16, 0, 1), np.float32)
    cover = smoothstep(0.02, 0.0, np.abs(v) - taper) * (np.abs(u) < 0.95)
    colour = BRIGHT[int(rng.integers(len(BRIGHT)))]
    albedo = over(flat(colour, u), (0.8, 0.62, 0.42), smoothstep(0.78, 0.80, u))
    albedo = over(albedo, DARK, smoothstep(0.88, 0.90, u))
    bend = np.clip(v / thick, -0.95, 0.95)
    pencil = make_paint(cover, albedo, -sin * bend, cos * bend, 0.3 + 0 * u)
    return _sprite(pencil, size, 3.0, light)


def lay(canvas: FloatImage, sprite: Sprite, left: int, top: int, light: FloatImage) -> FloatImage:
    """Paints `sprite` and its shadow onto `canvas` (H, W, 3) in place.

    Args:
        canvas: the picture so far, changed in place.
        sprite: what to lay down.
        left: column of the sprite's first pixel; may lie outside the canvas.
        top: row of the sprite's first pixel; may lie outside the canvas.
        light: unit vector (3,) towards the light.

    Returns:
        The sprite's coverage (H, W) on the canvas.
    """
    pad = int(1.1 * sprite.lift) + 6
    size = len(sprite.cover) + 2 * pad
    inner = place(sprite.cover, pad, pad, (size, size))
    dx, dy = -float(light[0]) * sprite.lift, -float(light[1]) * sprite.lift
    cast = cv2.warpAffine(inner, np.array([[1, 0, dx], [0, 1, dy]], np.float32), (size, size))
    shadow = 1 - 0.5 * cv2.GaussianBlur(cast, (0, 0), max(1.0, 0.35 * sprite.lift))
    shadow *= 1 - 0.3 * cv2.GaussianBlur(inner, (0, 0), 2.0)  # darkest where it touches the table
    there, here = _overlap(canvas, shadow, left - pad, top - pad)
    canvas[there] *= shadow[here][..., None]
    there, here = _overlap(canvas, sprite.cover, left, top)
    canvas[there] += (sprite.colour[here] - canvas[there]) * sprite.cover[here][..., None]
    return place(sprite.cover, left, top, (canvas.shape[0], canvas.shape[1]))


def place(patch: FloatImage, left: int, top: int, shape: tuple[int, int]) -> FloatImage:
    """Returns zeros of `shape` (H, W) with `patch` laid in, cut where it leaves the canvas.

    Args:
        patch: (h, w) or (h, w, C).
        left: column of its first pixel; may lie outside.
        top: row of its first pixel; may lie outside.
        shape: (H, W) of the result.
    """
    out = np.zeros((*shape, *patch.shape[2:]), np.float32)
    there, here = _overlap(out, patch, left, top)
    out[there] = patch[here]
    return out


def _overlap(
    canvas: FloatImage, patch: FloatImage, left: int, top: int
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Returns where `patch`, laid at (left, top), falls in the canvas and in the patch itself."""
    (y1, y2), (x1, x2) = (
        (max(start, 0), max(min(start + length, limit), start, 0))
        for start, length, limit in zip((top, left), patch.shape[:2], canvas.shape[:2], strict=True)
    )
    there = (slice(y1, y2), slice(x1, x2))
    return there, (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))


def _grid(size: int) -> tuple[FloatImage, FloatImage]:
    """Returns the coordinates u, v (size, size) of pixel centres, from -1 to 1."""
    line = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    u, v = np.meshgrid(line, line)
    return u, v


def _sprite(paint: Paint, size: int, lift: float, light: FloatImage) -> Sprite:
    """Returns `paint` under light from the sky and one lamp, shrunk to `size` pixels."""
    steep = np.maximum(np.hypot(paint.nx, paint.ny), 1)
    nx, ny = paint.nx / steep, paint.ny / steep
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
    lamp = np.clip(nx * light[0] + ny * light[1] + nz * light[2], 0, 1)
    half = light + np.array((0, 0, 1), np.float32)  # half-way from the lamp to the eye
    half = half / np.linalg.norm(half)
    shine = np.clip(nx * half[0] + ny * half[1] + nz * half[2], 0, 1) ** 40
    warm = np.array((0.76, 0.72, 0.66), np.float32)
    shade = (0.20 + 0.22 * nz)[..., None] + lamp[..., None] * warm
    lit = paint.albedo * shade + (0.8 * paint.gloss * shine)[..., None]
    return Sprite(_shrink(lit.astype(np.float32), size), _shrink(paint.cover, size), lift)


def _shrink(patch: FloatImage, size: int) -> FloatImage:
    small = cv2.resize(patch, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)
