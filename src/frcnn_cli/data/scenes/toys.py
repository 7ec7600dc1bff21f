"""Toys of the generated scenes and the clutter between them, as layers of flat shapes.

Shapes are (N, 2) polygons in a toy's own upright coordinates: x runs right and y down, both in
-1..1. `frcnn_cli.data.scenes.painting` turns, lights and paints them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Shape = npt.NDArray[Any]
Colour = tuple[int, int, int]
Detail = tuple[Shape, Colour]
"""A shape painted on a layer, which ends at the layer's outline."""

WHITE: Colour = (242, 240, 232)
DARK: Colour = (24, 21, 24)
WOOD: Colour = (204, 158, 107)


def _palette(codes: str) -> tuple[Colour, ...]:
    return tuple((red, green, blue) for red, green, blue in map(bytes.fromhex, codes.split()))


BRIGHT = _palette("d62421 f29e14 1a6bc7 148f6b edd12e 8f3394 f06b85")
GLAZES = _palette("ede8d9 1f4d85 bd3d29 29736b e6b33d 33333b")
FOLIAGE = _palette("38801f 6b9924 dba81f d66114 a8241a")
DRINKS = _palette("331c0f 733814 9e7a57")
STONES = _palette("46464a 706c68 96918a")


class Layer(NamedTuple):
    """An outline of one colour with details on it."""

    outline: Shape
    colour: Colour
    details: Sequence[Detail] = ()


class Toy(NamedTuple):
    """A kind of toy or of clutter.

    Attributes:
        draw: returns its layers, the lowest first.
        sizes: least and greatest sides of its square patch, pixels.
        turn: how far it may be turned to either side, degrees.
        bulge: width of its rounded edge; a share of half its size, as `lift`.
        gloss: strength of its highlight, 0..1.
        lift: how far its shadow falls.
    """

    draw: Callable[[np.random.Generator], list[Layer]]
    sizes: tuple[int, int]
    turn: float
    bulge: float
    gloss: float
    lift: float


def ball(rng: np.random.Generator) -> list[Layer]:
    """A beach ball, a ball with a stripe or one with spots."""
    first, second = _colours(rng, BRIGHT, 2)
    kind = rng.integers(3)
    if kind == 0:
        widths = ((0.78, WHITE), (0.45, second), (0.14, WHITE))
        details = [(_ellipse(0, 0, width, 0.97), colour) for width, colour in widths]
    elif kind == 1:
        details = [(_band(-0.4, 0.35), WHITE), (_band(-0.2, 0.15), second)]
    else:
        places = [(0.0, 0.0), *(0.72 * _circle(6) + rng.uniform(-0.1, 0.1, (6, 2)))]
        details = [(_ellipse(x, y, 0.2, 0.2), WHITE) for x, y in places]
    return [Layer(_ellipse(0, 0, 0.97, 0.97), first, details)]


def mug(rng: np.random.Generator) -> list[Layer]:
    """A glazed mug seen from above its rim, with a handle and something to drink in it."""
    half, top, bottom = 0.66, -0.7, 0.74
    x = np.linspace(-half, half, 40)
    bow = 0.19 * np.sqrt(1 - (x / half) ** 2)
    glaze, trim = _colours(rng, GLAZES, 2)
    (drink,) = _colours(rng, DRINKS, 1)
    kind = rng.integers(3)
    if kind == 0:
        details = [(_band(-0.05, 0.3, bow=0.19), trim)]
    elif kind == 1:
        drips = 0.1 + bow + 0.08 * np.sin(x * rng.uniform(10, 16))
        details = [(_outline(x, drips, np.full_like(x, 1.5)), trim)]
    else:
        rows, columns = (-0.25, 0.15, 0.55), (-0.5, -0.18, 0.18, 0.5)
        details = [(_ellipse(i, j - i * i / 3, 0.09, 0.11), trim) for j in rows for i in columns]
    layers = [
        Layer(_ring(half, 0.02, 0.4, 0.44, 0.17), glaze),
        Layer(_outline(x, np.full_like(x, top), bottom + bow), glaze, details),
        Layer(_ellipse(0, top, half, 0.19), _lighter(glaze)),
        Layer(_ellipse(0, top, 0.88 * half, 0.15), (120, 118, 115)),
        Layer(_ellipse(0, top + 0.03, 0.82 * half, 0.11), drink),
    ]
    mirrored = rng.random() < 0.5
    return _placed(layers, mirrored=mirrored, shift=0.2 if mirrored else -0.2)


def leaf(rng: np.random.Generator) -> list[Layer]:
    """A leaf with veins, pointed or lobed, green or of the autumn."""
    t = np.linspace(0, 1, 120)  # 0 at the tip and 1 at the stem
    lobes, depth = (5.5, 0.24) if rng.random() < 0.5 else (16.0, 0.05)
    half = rng.uniform(1.2, 1.45) * t**0.8 * (1 - t) ** 0.55
    half *= 1 - depth + depth * np.sin(2 * np.pi * lobes * t * (0.6 + 0.4 * t))
    y = 1.72 * t - 0.97
    first, second = _colours(rng, FOLIAGE, 2)
    details = [
        (_ellipse(*rng.uniform(-0.7, 0.7, 2), *rng.uniform(0.1, 0.3, 2)), second)
        for _ in range(rng.integers(6))
    ]
    pale = _lighter(first)
    ends = [(side, foot) for foot in np.arange(-0.5, 0.8, 0.24) for side in (-1, 1)]
    details += [(_stroke((0, foot), (0.8 * side, foot - 0.5), 0.03), pale) for side, foot in ends]
    details.append((_stroke((0, -1), (0, 1), 0.04), pale))
    stem = Layer(_stroke((0, 0.6), (rng.uniform(-0.1, 0.1), 0.97), 0.07), (77, 51, 26))
    return [stem, Layer(_outline(y, half, -half)[:, ::-1], first, details)]


def fish(rng: np.random.Generator) -> list[Layer]:
    """A plump toy fish with fins, scales and an eye."""
    t = np.linspace(0, 1, 80)  # 0 at the tail and 1 at the nose
    x = 1.58 * t - 0.62
    half = rng.uniform(0.95, 1.15) * (0.1 + 0.4 * np.abs(np.sin(np.pi * t**0.85)) ** 0.75)
    half *= np.sqrt(np.clip((1 - t) / 0.06, 0, 1))
    first, second = _colours(rng, BRIGHT, 2)
    scale = _lighter(first, -60)
    rows = [(i, j) for i in np.arange(-0.6, 0.5, 0.14) for j in np.arange(-0.5, 0.5, 0.12)]
    details = [
        (_ring(i + 0.07 * (round(j / 0.12) % 2), j, 0.09, 0.08, 0.02), scale) for i, j in rows
    ]
    if rng.random() < 0.5:
        details += [(_stroke((i, -1), (i, 1), 0.16), second) for i in (-0.35, 0.0, 0.35)]
    details.append((_stroke((0.5, -1), (0.5, 1), 0.03), scale))
    tail = np.array(((-0.55, -0.06), (-0.97, -0.5), (-0.8, 0), (-0.97, 0.5), (-0.55, 0.06)))
    layers = [
        Layer(tail, second),
        Layer(_ellipse(-0.05, -0.38, 0.42, 0.25), second),
        Layer(_ellipse(-0.1, 0.42, 0.22, 0.22), second),
        Layer(_outline(x, -half, half), first, details),
        Layer(_ellipse(0.68, -0.12, 0.11, 0.11), WHITE),
        Layer(_ellipse(0.69, -0.12, 0.06, 0.06), DARK),
    ]
    return _placed(layers, mirrored=rng.random() < 0.5)


def pebble(rng: np.random.Generator) -> list[Layer]:
    """A small stone."""
    bumps = rng.uniform(0.7, 0.95, (12, 1))
    (grey,) = _colours(rng, STONES, 1)
    return [Layer(_circle(12) * bumps * np.array((1, rng.uniform(0.6, 1))), grey)]


def pencil(rng: np.random.Generator) -> list[Layer]:
    """A pencil with a sharpened end."""
    outline = np.array(((-0.95, -0.05), (0.8, -0.05), (0.97, 0), (0.8, 0.05), (-0.95, 0.05)))
    tip = (
        (_stroke((0.8, 0), (1, 0), 0.2), WOOD),
        (_stroke((0.92, 0), (1, 0), 0.2), DARK),
    )
    (colour,) = _colours(rng, BRIGHT, 1)
    return [Layer(outline, colour, tip)]


TOYS: Mapping[str, Toy] = {
    "ball": Toy(ball, (58, 190), turn=180, bulge=0.97, gloss=0.5, lift=0.35),
    "fish": Toy(fish, (72, 190), turn=35, bulge=0.45, gloss=0.35, lift=0.2),
    "leaf": Toy(leaf, (96, 190), turn=180, bulge=0.1, gloss=0.1, lift=0.07),
    "mug": Toy(mug, (64, 190), turn=10, bulge=0.5, gloss=0.4, lift=0.3),
}
"""The classes of a generated data set."""
CLUTTER = (
    Toy(pebble, (12, 30), turn=180, bulge=0.7, gloss=0.1, lift=0.2),
    Toy(pencil, (80, 150), turn=180, bulge=0.05, gloss=0.3, lift=0.06),
)
"""Things in the scenes that belong to no class."""


def _colours(rng: np.random.Generator, palette: tuple[Colour, ...], count: int) -> list[Colour]:
    """Returns `count` different colours of a palette, each changed a little."""
    chosen = rng.permutation(np.array(palette))[:count] + rng.integers(-12, 13, (count, 3))
    return [(red, green, blue) for red, green, blue in np.clip(chosen, 0, 255).tolist()]


def _lighter(colour: Colour, by: int = 40) -> Colour:
    red, green, blue = (min(max(part + by, 0), 255) for part in colour)
    return red, green, blue


def _circle(points: int = 60) -> Shape:
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.column_stack((np.cos(angles), np.sin(angles)))


def _ellipse(x: float, y: float, half_width: float, half_height: float) -> Shape:
    size, centre = np.array((half_width, half_height)), np.array((x, y))
    ellipse: Shape = centre + size * _circle()
    return ellipse


def _ring(x: float, y: float, half_width: float, half_height: float, thickness: float) -> Shape:
    """Returns an ellipse less the smaller one inside it."""
    outer = _ellipse(x, y, half_width, half_height)
    inner = _ellipse(x, y, half_width - thickness, half_height - thickness)
    return np.vstack((outer, outer[:1], inner[:1], inner[::-1]))


def _outline(x: Shape, upper: Shape, lower: Shape) -> Shape:
    """Returns what lies between two curves over `x`, all (N,)."""
    return np.vstack((np.column_stack((x, upper)), np.column_stack((x, lower))[::-1]))


def _band(upper: float, lower: float, bow: float = 0.25) -> Shape:
    """Returns a belt about the middle, which a round body bends down by `bow`."""
    x = np.linspace(-1, 1, 40)
    bend = bow * np.sqrt(1 - x**2)
    return _outline(x, upper + bend, lower + bend)


def _stroke(start: tuple[float, float], end: tuple[float, float], width: float) -> Shape:
    along = np.subtract(end, start)
    across = np.array((-along[1], along[0])) * (width / 2 / np.hypot(*along))
    return np.array((start + across, end + across, end - across, start - across))


def _placed(layers: list[Layer], *, mirrored: bool = False, shift: float = 0) -> list[Layer]:
    """Returns `layers` mirrored left to right, then moved to the right by `shift`."""
    flip, move = np.array((-1 if mirrored else 1, 1)), np.array((shift, 0))
    return [
        Layer(
            outline * flip + move,
            colour,
            [(shape * flip + move, paint) for shape, paint in details],
        )
        for outline, colour, details in layers
    ]
