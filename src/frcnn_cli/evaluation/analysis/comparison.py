"""Paired comparison of two detectors on the same images.

Both are resampled with the same images (a paired bootstrap), so what makes an image hard for both
cancels out, and the interval of the difference is narrower than those of the mAPs suggest.
"""

from __future__ import annotations

from dataclasses import dataclass

from frcnn_cli.evaluation.analysis import Analysis
from frcnn_cli.evaluation.analysis.bootstrap import Interval, bootstrap_maps, interval


@dataclass(frozen=True, slots=True)
class ClassDifference:
    """One class of both: APs in 0..1 and B - A, None where it has no objects."""

    name: str
    objects: int
    a: float | None
    b: float | None
    difference: float | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Detector B compared with A.

    Attributes:
        a: the analysis of A.
        b: the analysis of B, of the same images by the same rule and seed.
        difference: mAP of B - mAP of A.
        interval: of the difference.
        classes: in the order of the labels.
    """

    a: Analysis
    b: Analysis
    difference: float
    interval: Interval | None
    classes: tuple[ClassDifference, ...]

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference excludes 0."""
        return self.interval is not None and self.interval.excludes_zero

    @property
    def verdict(self) -> str:
        """Meaning of the interval, as a sentence."""
        if not self.is_clear:
            return "The interval includes 0: these images do not show which is better."
        better, worse = ("B", "A") if self.difference > 0 else ("A", "B")
        return f"The interval excludes 0: {better} is better than {worse} on such images."


def share(value: float | None) -> str:
    """Returns a share with three digits, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def signed(value: float | None, digits: int = 3) -> str:
    """Returns a difference with its sign; zero has none, and None is a dash."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def compare(a: Analysis, b: Analysis) -> Comparison:
    """Compares `b` with `a`; both must be of one split, metric, number of resamples and seed."""
    assert a.split.objects.image_ids == b.split.objects.image_ids
    assert a.split.classes == b.split.classes
    assert a.metric == b.metric
    assert a.resampled_aps.shape == b.resampled_aps.shape
    differences = b.resampled_aps - a.resampled_aps
    classes = []
    for old, new, resampled in zip(
        a.evaluation.classes, b.evaluation.classes, differences, strict=True
    ):
        ap_a, ap_b = old.ap(a.metric), new.ap(b.metric)
        change = None if ap_a is None or ap_b is None else ap_b - ap_a
        about = interval(resampled, change)
        classes.append(ClassDifference(old.name, old.objects, ap_a, ap_b, change, about))
    difference = b.map - a.map
    resampled_maps = bootstrap_maps(b.resampled_aps) - bootstrap_maps(a.resampled_aps)
    return Comparison(a, b, difference, interval(resampled_maps, difference), tuple(classes))
