"""Meanings of a row's four numbers, and the choice of the one that fits the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from frcnn_cli import boxes as box_ops
from frcnn_cli.records import DoubleArray, FloatArray

Order = Literal["xyxy", "yxyx", "xywh", "yxhw"]
Base = Literal["edges", "zero", "one"]

_NUMBERS = {
    "xyxy": "x1, y1, x2, y2",
    "yxyx": "y1, x1, y2, x2",
    "xywh": "x, y, width, height",
    "yxhw": "y, x, height, width",
}
_BASES = {
    "edges": "pixel edges counted from 0",
    "zero": "pixels counted from 0, the last one included",
    "one": "pixels counted from 1, the last one included",
}

TOLERANCE = 0.5
"""Pixels by which a box may leave its image: less than counting from 1 would shift it."""
_MOST_MISFITS = 0.05
"""Share of boxes without area or outside their image above which a convention is ruled out."""
_CLEARLY = 0.003
"""Mean best overlap by which a convention must beat the documented one. Boxes of selective search
gain 0.002 when read a pixel larger than they are, and lose 0.004 when read a pixel smaller."""


class BoxConvention(NamedTuple):
    """One meaning of a row of four numbers.

    Attributes:
        order: which number is which.
        base: what is counted.
    """

    order: Order
    base: Base

    def __str__(self) -> str:
        return f"{_NUMBERS[self.order]} in {_BASES[self.base]}"

    def apply(self, rows: DoubleArray) -> DoubleArray:
        """Returns `rows` (N, 4) as xyxy pixel edges from 0."""
        boxes = rows.copy()
        if self.order in {"yxyx", "yxhw"}:
            boxes = boxes[:, [1, 0, 3, 2]]
        if self.base == "one":
            boxes[:, :2] -= 1
        if self.order in {"xywh", "yxhw"}:
            boxes[:, 2:] += boxes[:, :2]
        elif self.base == "zero":
            boxes[:, 2:] += 1
        return boxes


_BASES_OF: Mapping[Order, tuple[Base, ...]] = {
    "xyxy": ("edges", "zero", "one"),
    "yxyx": ("edges", "zero", "one"),
    # A width is the same number whether edges or pixels are counted.
    "xywh": ("edges", "one"),
    "yxhw": ("edges", "one"),
}
CONVENTIONS = tuple(
    BoxConvention(order, base) for order, bases in _BASES_OF.items() for base in bases
)


class Example(NamedTuple):
    """An image to try conventions on.

    Attributes:
        rows: (N, 4) of the file.
        objects: (G, 4) float32, its ground truth; G is 0 where there is none.
        width: pixels.
        height: pixels.
    """

    rows: DoubleArray
    objects: FloatArray
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ConventionFit:
    """Measures of how well a convention fits.

    Attributes:
        convention: the meaning.
        misfits: share of boxes without area or outside their image.
        recall: share of objects that a box overlaps by IoU 0.5; 0 without objects.
        best_overlap: mean of the objects' highest IoU, which is recall averaged over all IoUs.
    """

    convention: BoxConvention
    misfits: float
    recall: float
    best_overlap: float

    @property
    def is_possible(self) -> bool:
        """Whether nearly all boxes lie in their images."""
        return self.misfits <= _MOST_MISFITS


def try_convention(convention: BoxConvention, examples: Sequence[Example]) -> ConventionFit:
    """Returns how `convention` fits the `examples`."""
    misfits, boxes_seen = 0, 0
    best: list[DoubleArray] = [np.zeros(0)]
    for example in examples:
        boxes = convention.apply(example.rows)
        misfits += int((~fits(boxes, example.width, example.height)).sum())
        boxes_seen += len(boxes)
        overlaps = box_ops.iou(boxes, example.objects.astype(np.float64))
        best.append(overlaps.max(axis=0, initial=0.0))
    found = np.concatenate(best)
    return ConventionFit(
        convention,
        misfits / max(1, boxes_seen),
        float((found >= 0.5).mean()) if len(found) else 0.0,
        float(found.mean()) if len(found) else 0.0,
    )


def choose_convention(
    examples: Sequence[Example], documented: BoxConvention
) -> tuple[ConventionFit, list[ConventionFit]]:
    """Returns the convention that fits best, and all of them by decreasing best overlap.

    It is the documented one, unless another overlaps the objects clearly better or the documented
    one puts boxes outside their images.
    """
    trials = [try_convention(convention, examples) for convention in CONVENTIONS]
    trials.sort(key=lambda trial: (trial.is_possible, trial.best_overlap), reverse=True)
    best = trials[0]
    own = next(trial for trial in trials if trial.convention == documented)
    if own.is_possible and own.best_overlap >= best.best_overlap - _CLEARLY:
        best = own
    return best, trials


def fits(boxes: DoubleArray, width: int, height: int) -> npt.NDArray[np.bool_]:
    """Returns which boxes (N, 4) have an area and lie in a `width` × `height` image.

    Args:
        boxes: (N, 4) xyxy pixel edges.
        width: pixels of the image.
        height: pixels of the image.
    """
    x1, y1, x2, y2 = boxes.T
    inside = (
        (np.minimum(x1, y1) >= -TOLERANCE) & (x2 <= width + TOLERANCE) & (y2 <= height + TOLERANCE)
    )
    good: npt.NDArray[np.bool_] = inside & (x2 > x1) & (y2 > y1)
    return good
