"""The toys of the generated scenes: each a patch of colour, normals, gloss and coverage.

A maker paints one class on a grid in its own upright coordinates: u runs right and v down, both in
-1..1. Turning the grid turns the toy; `sprites.render` lights it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frcnn_cli.data.scenes.textures import Colour, FloatImage, flat, fractal_noise, mix, smoothstep

WHITE: Colour = (0.95, 0.94, 0.91)
DARK: Colour = (0.09, 0.08, 0.09)
BRIGHT: tuple[Colour, ...] = (
    (0.84, 0.14, 0.13),
    (0.95, 0.62, 0.08),
    (0.10, 0.42, 0.78),
    (0.08, 0.56, 0.42),
    (0.93, 0.82, 0.18),
    (0.56, 0.20, 0.58),
    (0.94, 0.42, 0.52),
)
GLAZES: tuple[Colour, ...] = (
    (0.93, 0.91, 0.85),
    (0.12, 0.30, 0.52),
    (0.74, 0.24, 0.16),
    (0.16, 0.45, 0.42),
    (0.90, 0.70, 0.24),
    (0.20, 0.20, 0.23),
)
FOLIAGE: tuple[Colour, ...] = (
    (0.22, 0.50, 0.12),
    (0.42, 0.60, 0.14),
    (0.86, 0.66, 0.12),
    (0.84, 0.38, 0.08),
    (0.66, 0.14, 0.10),
)

DRINKS: tuple[Colour, ...] = ((0.20, 0.11, 0.06), (0.45, 0.22, 0.08), (0.62, 0.48, 0.34))


@dataclass(frozen=True, slots=True)
class Paint:
    """What a toy looks like before the light falls on it; all arrays (H, W) or (H, W, 3).

    Attributes:
        cover: 1 inside the toy, 0 outside.
        albedo: colour (H, W, 3) in 0..1.
        nx: the surface normal's part along u.
        ny: the surface normal's part along v.
        gloss: strength of the highlight, 0..1.
    """

    cover: FloatImage
    albedo: FloatImage
    nx: FloatImage
    ny: FloatImage
    gloss: FloatImage


Maker = Callable[[np.random.Generator, FloatImage, FloatImage], Paint]


def _choose(rng: np.random.Generator, colours: tuple[Colour, ...], count: int) -> list[Colour]:
    """Returns `count` different colours, each a little off its name."""
    picked = rng.choice(len(colours), size=count, replace=False)
    jitter = rng.uniform(-0.05, 0.05, (count, 3))
    return [
        tuple(np.clip(np.add(colours[i], shift), 0, 1).tolist())
        for i, shift in zip(picked, jitter, strict=True)
    ]


def over(below: FloatImage, colour: Colour, share: FloatImage) -> FloatImage:
    """Returns `below` (H, W, 3) painted over with `colour` where `share` (H, W) is 1."""
    return below + (np.asarray(colour, np.float32) - below) * share[..., None]


def _rotation(rng: np.random.Generator) -> FloatImage:
    """Returns a random 3-D rotation (3, 3)."""
    matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return matrix.astype(np.float32)


def ball(rng: np.random.Generator, u: FloatImage, v: FloatImage) -> Paint:
    """A sphere: beach ball, striped ball or spotted ball."""
    u, v = u / 0.97, v / 0.97
    radius = np.hypot(u, v)
    nz = np.sqrt(np.clip(1 - radius**2, 0, 1))
    x, y, z = np.einsum("ij,jhw->ihw", _rotation(rng), np.stack((u, v, nz)))
    first, second = _choose(rng, BRIGHT, 2)
    albedo = flat(first, u)
    kind = rng.integers(3)
    if kind == 0:
        panel = np.sin(3 * np.arctan2(y, x))
        albedo = over(albedo, WHITE, smoothstep(-0.08, 0.08, panel))
        albedo = over(albedo, second, smoothstep(0.95, 0.97, np.abs(z)))
    elif kind == 1:
        albedo = over(albedo, WHITE, smoothstep(0.34, 0.30, np.abs(z)))
        albedo = over(albedo, second, smoothstep(0.17, 0.13, np.abs(z)))
    else:
        spots = rng.normal(size=(14, 3)).astype(np.float32)
        spots /= np.linalg.norm(spots, axis=1, keepdims=True)
        nearest = np.einsum("nk,khw->nhw", spots, np.stack((x, y, z))).max(axis=0)
        albedo = over(albedo, WHITE, smoothstep(0.945, 0.955, nearest))
    grain = fractal_noise(rng, (u.shape[0], u.shape[1]), cell=5, octaves=2)
    albedo = albedo * (0.92 + 0.12 * grain)[..., None]
    return Paint(smoothstep(1.0, 0.985, radius), albedo, u, v, np.full_like(u, 0.55))


def mug(rng: np.random.Generator, u: FloatImage, v: FloatImage) -> Paint:
    """A glazed mug seen from above its rim, with a handle and something to drink in it."""
    u = (u if rng.random() < 0.5 else -u) + 0.2
    half, flatness, top, bottom = 0.66, 0.19, -0.72, 0.74  # the rim is an ellipse half × flatness
    x = u / half
    bow = flatness * np.sqrt(np.clip(1 - x**2, 0, 1))
    lip = smoothstep(1.0, 0.97, np.hypot(x, (v - top) / flatness))
    wall = smoothstep(1.0, 0.97, np.abs(x)) * (v > top) * smoothstep(0.02, 0, v - bottom - bow)
    on_body = np.maximum(wall, lip) > 0.5
    tube = (np.hypot((u - half) / 0.44, (v - 0.02) / 0.42) - 0.80) / 0.20
    handle = smoothstep(1.0, 0.9, np.abs(tube)) * (u > 0.8 * half)

    glaze, trim = _choose(rng, GLAZES, 2)
    down = (v - bow - top) / (bottom - top)  # 0 at the rim and 1 at the foot
    pattern = _glaze_pattern(rng, np.arcsin(np.clip(x, -1, 1)), down)
    albedo = over(flat(glaze, u), trim, pattern * on_body)
    speckle = fractal_noise(rng, (u.shape[0], u.shape[1]), cell=6, octaves=2)
    albedo = albedo * (0.88 + 0.16 * speckle)[..., None]
    albedo = over(albedo, tuple(0.75 * np.asarray(glaze) + 0.24), lip)
    mouth = smoothstep(1.0, 0.95, np.hypot(x / 0.88, (v - top) / (flatness * 0.80)))
    depth = np.clip(0.5 + 0.5 * (v - top) / flatness, 0, 1)
    inner = mix((0.33, 0.33, 0.32), (0.71, 0.70, 0.68), depth)
    albedo = albedo + (inner - albedo) * mouth[..., None]
    level = np.hypot(x / 0.80, (v - top - 0.05) / (flatness * 0.62))
    drink = DRINKS[int(rng.integers(len(DRINKS)))]
    albedo = over(albedo, drink, smoothstep(1.0, 0.95, level) * mouth)

    bent = np.clip(tube, -1, 1)
    nx = np.where(lip > 0.5, 0.0, np.where(on_body, np.clip(x, -1, 1), bent * (u - half) / 0.44))
    ny = np.where(lip > 0.5, -0.35, np.where(on_body, 0.1, bent * v / 0.42))
    gloss = np.where(mouth > 0.5, 0.1, 0.6)
    return make_paint(np.maximum.reduce((wall, lip, handle)), albedo, nx, ny, gloss)


def _glaze_pattern(rng: np.random.Generator, around: FloatImage, down: FloatImage) -> FloatImage:
    """Returns where a mug's second colour goes: a band, a dip with drips, or dots.

    Args:
        rng: picks the pattern and where it starts.
        around: angle about the mug, radians, 0 in the middle.
        down: 0 at the rim and 1 at the foot.
    """
    start = float(rng.uniform())
    kind = rng.integers(3)
    if kind == 0:
        return smoothstep(0.03, 0.0, np.abs(down - 0.5) - 0.14)
    if kind == 1:
        return smoothstep(0.02, 0.0, down - 0.42 - 0.06 * np.sin(9 * around + 6 * start))
    across, along = np.mod(2.2 * around + start, 1) - 0.5, np.mod(down * 3.2, 1) - 0.5
    return smoothstep(0.3, 0.24, np.hypot(across, along))


def leaf(rng: np.random.Generator, u: FloatImage, v: FloatImage) -> Paint:
    """A leaf with veins, pointed or lobed, green or of the autumn."""
    stem = smoothstep(0.035, 0.015, np.abs(u - 0.05 * np.sin(4 * v))) * (v > 0.6) * (v < 0.97)
    t = np.clip((v + 0.97) / 1.72, 0, 1)  # 0 at the tip and 1 at the stem
    fullness = float(rng.uniform(1.9, 2.3))
    half = fullness * t**0.8 * (1 - t) ** 0.55 * 0.62
    lobes, depth = (5.5, 0.24) if rng.random() < 0.5 else (16.0, 0.05)
    half = half * (1 - depth + depth * np.sin(2 * np.pi * lobes * t * (0.6 + 0.4 * t)))
    blade = smoothstep(0.03, 0.0, np.abs(u) - half) * (t > 0) * (t < 1)

    first, second = _choose(rng, FOLIAGE, 2)
    noise = fractal_noise(rng, (u.shape[0], u.shape[1]), cell=0.4 * u.shape[0], octaves=5)
    share = smoothstep(0.35, 0.85, noise) if rng.random() < 0.6 else 0.2 * noise
    albedo = mix(first, second, share) * (0.75 + 0.4 * noise)[..., None]
    rib = np.mod((t + 0.55 * np.abs(u)) * 7, 1) - 0.5
    veins = np.maximum(smoothstep(0.09, 0.04, np.abs(rib)) * 0.7, smoothstep(0.03, 0.01, np.abs(u)))
    pale: Colour = tuple(np.clip(1.25 * np.asarray(first) + 0.16, 0, 1))
    albedo = over(albedo, pale, 0.65 * veins)
    albedo = over(albedo, (0.30, 0.20, 0.10), stem * (1 - blade))
    albedo = albedo * (0.72 + 0.28 * smoothstep(0.0, 0.06, half - np.abs(u)))[..., None]

    curl = float(rng.uniform(0.25, 0.6))
    nx = curl * np.sign(u) * np.clip(np.abs(u) / 0.6, 0, 1) + 0.5 * np.sign(rib) * (0.5 - abs(rib))
    return make_paint(np.maximum(blade, stem), albedo, nx, 0.3 * v + 0 * u, np.full_like(u, 0.12))


def fish(rng: np.random.Generator, u: FloatImage, v: FloatImage) -> Paint:
    """A plump toy fish with fins, scales and an eye."""
    u = u if rng.random() < 0.5 else -u
    t = np.clip((u + 0.62) / 1.58, 0, 1)  # 0 at the tail and 1 at the nose
    half = 0.10 + 0.40 * np.clip(np.sin(np.pi * t**0.85), 0, 1) ** 0.75
    half = half * np.sqrt(np.clip((1 - t) / 0.06, 0, 1)) * float(rng.uniform(0.95, 1.15))
    inside = (u > -0.62) & (u < 0.96)
    body = smoothstep(0.025, 0.0, np.abs(v) - half) * inside
    fork = -0.66 - 0.24 * np.abs(np.cos(np.clip(v / 0.55, -1, 1) * np.pi / 2))
    spread = 0.08 + 0.95 * np.clip(-0.5 - u, 0, 1)
    tail = smoothstep(0.03, 0.0, np.abs(v) - spread) * (u < -0.5) * (u > -0.97)
    tail = tail * smoothstep(0.0, 0.03, u - (-1.63 - fork))
    dorsal = smoothstep(0.03, 0, np.hypot((u + 0.02) / 0.48, (v + 0.38) / 0.30) - 1) * (v < 0)
    belly = smoothstep(0.03, 0, np.hypot((u + 0.12) / 0.22, (v - 0.40) / 0.26) - 1) * (v > 0)

    first, second = _choose(rng, BRIGHT, 2)
    across = np.clip(v / np.maximum(half, 0.05), -1, 1)
    albedo = mix(first, tuple(0.5 * np.asarray(first) + 0.45), smoothstep(0.1, 0.9, across))
    if rng.random() < 0.5:
        bands = np.sin(2 * np.pi * (u + 0.06 * across**2) * float(rng.uniform(1.5, 2.2)))
        albedo = over(albedo, second, smoothstep(0.35, 0.5, bands) * (u < 0.5))
    row = np.floor(v / 0.11)
    scale = np.hypot(np.mod(u / 0.13 + 0.5 * np.mod(row, 2), 1) - 0.2, np.mod(v / 0.11, 1) - 0.5)
    albedo = albedo * (1 - 0.28 * smoothstep(0.5, 0.62, scale) * (u < 0.48))[..., None]
    albedo = albedo * (1 - 0.45 * smoothstep(0.03, 0.01, np.abs(u - 0.5 - 0.2 * v**2)))[..., None]
    rays = 0.8 + 0.2 * np.sin(30 * np.arctan2(v, u + 0.2 * np.sign(u + 0.5)))
    fins = flat(second, u) * rays[..., None]
    albedo = np.where((body > 0.5)[..., None], albedo, fins)
    eye = np.hypot(u - 0.68, v + 0.12)
    albedo = over(albedo, WHITE, smoothstep(0.115, 0.10, eye))
    albedo = over(albedo, DARK, smoothstep(0.065, 0.05, eye))

    on_body = body > 0.5
    nx = np.where(on_body, np.clip((u - 0.1) / 0.95, -0.9, 0.9) * 0.6, 0.0)
    ny = np.where(on_body, across * 0.9, 0.25 * np.sin(30 * v))
    gloss = np.where(on_body, 0.45, 0.1)
    return make_paint(np.maximum.reduce((body, tail, dorsal, belly)), albedo, nx, ny, gloss)


def make_paint(*parts: npt.ArrayLike) -> Paint:
    """Returns a `Paint` of cover, albedo, nx, ny and gloss, whatever their types are."""
    return Paint(*(np.asarray(part, np.float32) for part in parts))


MAKERS: Mapping[str, Maker] = {"ball": ball, "fish": fish, "leaf": leaf, "mug": mug}
"""The classes of a generated data set, and who paints them."""
