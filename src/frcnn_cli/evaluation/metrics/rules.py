"""What counts as found: the conventions that evaluators differ in, as switches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rules:
    """How detections are matched with objects; the defaults are the VOC devkit's."""

    iou: float = 0.5
    """Least IoU of a match, in (0, 1]."""
    above: bool = False
    """A match needs more than `iou`; the devkit's rule is >=."""
    assignment: Literal["nearest", "free"] = "nearest"
    """A detection takes the object it overlaps most, and is wrong if that one is taken (VOC); or
    the one it overlaps most of those that are not taken (COCO)."""
    ties: Literal["first", "last"] = "first"
    """Of equal scores the first in the file comes first, or the last."""
    plus_one: bool = True
    """The width of inclusive pixels is xmax - xmin + 1; without, the + 1 is forgotten."""
    ignore_difficult: bool = True
    """Difficult objects count neither way; otherwise as any other."""
    score_decimals: int | None = None
    """Decimals that scores are rounded to; None does not round."""
    max_per_image: int = 0
    """Detections of a photograph that count, over all classes, best first; 0 takes all."""
