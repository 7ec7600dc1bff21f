"""Surfaces that generated scenes stand on: wood, cloth, stone and paint, all from fractal noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

FloatImage = npt.NDArray[np.float32]
Colour = tuple[float, float, float]

WOODS: tuple[tuple[Colour, Colour], ...] = (
    ((0.36, 0.22, 0.12), (0.58, 0.38, 0.22)),
    ((0.62, 0.45, 0.28), (0.80, 0.63, 0.43)),
    ((0.24, 0.16, 0.12), (0.40, 0.28, 0.20)),
    ((0.66, 0.60, 0.52), (0.80, 0.75, 0.68)),
)
CLOTHS: tuple[tuple[Colour, Colour], ...] = (
    ((0.20, 0.27, 0.38), (0.30, 0.38, 0.50)),
    ((0.68, 0.66, 0.60), (0.84, 0.82, 0.76)),
    ((0.36, 0.20, 0.22), (0.48, 0.28, 0.30)),
    ((0.30, 0.34, 0.30), (0.42, 0.46, 0.40)),
)
STONES: tuple[tuple[Colour, Colour], ...] = (
    ((0.42, 0.42, 0.44), (0.66, 0.66, 0.66)),
    ((0.72, 0.70, 0.67), (0.90, 0.89, 0.87)),
    ((0.18, 0.19, 0.21), (0.34, 0.35, 0.37)),
)
PAINTS: tuple[tuple[Colour, Colour], ...] = (
    ((0.55, 0.66, 0.70), (0.68, 0.78, 0.80)),
    ((0.74, 0.68, 0.60), (0.86, 0.82, 0.74)),
    ((0.50, 0.48, 0.56), (0.62, 0.60, 0.68)),
)


def fractal_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    cell: float,
    octaves: int = 4,
    stretch: float = 1.0,
) -> FloatImage:
    """Returns smooth noise (H, W) in 0..1: octaves of random grids, each twice as fine.

    Args:
        rng: source of the random grids.
        shape: (height, width) in pixels.
        cell: pixels between the coarsest grid's points.
        octaves: how many grids are summed, each at half the strength of the one before.
        stretch: how many times longer the grain runs along x than along y.
    """
    height, width = shape
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        step = max(cell / 2**octave, 1.0)
        rows, columns = int(height / step) + 2, int(width / (step * stretch)) + 2
        grid = rng.random((rows, columns), dtype=np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def mix(first: Colour, second: Colour, share: FloatImage) -> FloatImage:
    """Returns the colours (H, W, 3) that lie `share` (H, W) of the way from first to second."""
    start, end = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return start + (end - start) * share[..., None]


def flat(colour: Colour, like: FloatImage) -> FloatImage:
    """Returns one colour (H, W, 3) over the grid of `like` (H, W)."""
    return np.broadcast_to(np.asarray(colour, np.float32), (*like.shape, 3))


def smoothstep(low: float, high: float, value: FloatImage) -> FloatImage:
    """Returns 0 below `low`, 1 above `high` and a smooth ramp between (either order).

    Args:
        low: where the ramp is 0.
        high: where the ramp is 1.
        value: (H, W).
    """
    t = np.clip((value - low) / (high - low), 0, 1)
    ramp: FloatImage = t * t * (3 - 2 * t)
    return ramp


def surface(rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
    """Returns a tabletop (H, W, 3) in 0..1 of a random material, shape (H, W)."""
    makers: tuple[Callable[[np.random.Generator, tuple[int, int]], FloatImage], ...]
    makers = (_wood, _cloth, _stone, _paint)
    return makers[int(rng.integers(len(makers)))](rng, shape)


def _pick(rng: np.random.Generator, palette: tuple[tuple[Colour, Colour], ...]) -> int:
    return int(rng.integers(len(palette)))


def _wood(rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
    height = shape[0]
    dark, light = WOODS[_pick(rng, WOODS)]
    y = np.arange(height, dtype=np.float32)[:, None]
    plank_height = float(rng.uniform(60, 120))
    plank = (y / plank_height).astype(np.int32)
    shift = rng.uniform(0, 40, int(plank.max()) + 1).astype(np.float32)[plank]
    tone = rng.uniform(-0.12, 0.12, int(plank.max()) + 1).astype(np.float32)[plank]
    warp = fractal_noise(rng, shape, cell=60, octaves=3, stretch=5)
    rings = 0.5 + 0.5 * np.sin((y + shift) / 4.5 + 11 * warp)
    fibre = fractal_noise(rng, shape, cell=3, octaves=2, stretch=22)
    board = mix(dark, light, np.clip(0.45 * rings + 0.55 * fibre + tone, 0, 1))
    seam = np.abs(y / plank_height - np.round(y / plank_height)) * plank_height
    return board * (0.55 + 0.45 * smoothstep(0.4, 1.8, seam))[..., None]


def _cloth(rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
    height, width = shape
    dark, light = CLOTHS[_pick(rng, CLOTHS)]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    weave = 0.5 + 0.25 * np.sin(x * 1.9) * np.sin(y * 1.9)
    folds = fractal_noise(rng, shape, cell=110, octaves=2, stretch=0.6)
    lint = fractal_noise(rng, shape, cell=3, octaves=2)
    share = 0.35 * weave + 0.45 * folds + 0.2 * lint
    if rng.random() < 0.5:
        period = float(rng.uniform(26, 48))
        wide = 0.5 * period
        checks = (np.mod(x, period) < wide) * 0.12 + (np.mod(y, period) < wide) * 0.12
        share = share + checks.astype(np.float32)
    return mix(dark, light, share)


def _stone(rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
    dark, light = STONES[_pick(rng, STONES)]
    clouds = fractal_noise(rng, shape, cell=90, octaves=5)
    grains = fractal_noise(rng, shape, cell=4, octaves=2)
    veins = np.abs(fractal_noise(rng, shape, cell=140, octaves=4) - 0.5)
    share = 0.55 * clouds + 0.45 * grains
    slab = mix(dark, light, share)
    return slab * (0.86 + 0.14 * smoothstep(0.0, 0.03, veins))[..., None]


def _paint(rng: np.random.Generator, shape: tuple[int, int]) -> FloatImage:
    dark, light = PAINTS[_pick(rng, PAINTS)]
    strokes = fractal_noise(rng, shape, cell=5, octaves=2, stretch=14)
    stains = fractal_noise(rng, shape, cell=100, octaves=3)
    return mix(dark, light, 0.35 * strokes + 0.65 * stains)
