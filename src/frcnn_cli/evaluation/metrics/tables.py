"""A split's objects and detections as flat columns, the form in which they are matched.

One row is one box; `image` numbers the images in the order of the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frcnn_cli.errors import DataError
from frcnn_cli.records import BoolArray, Detections, FloatArray, IntArray, Sample, ScoreArray


@dataclass(frozen=True, slots=True)
class ObjectTable:
    """The ground truth of a split, G objects in the order of its images.

    Attributes:
        image_ids: the images, those without objects included.
        image: (G,) int64, index into `image_ids`, never decreasing.
        boxes: (G, 4) float32.
        labels: (G,) int64 in 1..K.
        difficult: (G,) bool.
    """

    image_ids: tuple[str, ...]
    image: IntArray
    boxes: FloatArray
    labels: IntArray
    difficult: BoolArray


@dataclass(frozen=True, slots=True)
class DetectionTable:
    """The detections of a split, D rows in the order of their file, or else of its images.

    Attributes:
        image: (D,) int64, index into the split's `image_ids`.
        boxes: (D, 4) float32.
        scores: (D,) float32 or float64.
        labels: (D,) int64 in 1..K.
    """

    image: IntArray
    boxes: FloatArray
    scores: ScoreArray
    labels: IntArray

    def rows(self, rows: IntArray) -> DetectionTable:
        """Returns the table of some of its `rows` (M,), in their order."""
        return DetectionTable(
            self.image[rows], self.boxes[rows], self.scores[rows], self.labels[rows]
        )


@dataclass(frozen=True, slots=True)
class SplitTables:
    """The objects of a split, its detections, and the names of the labels 1..K."""

    objects: ObjectTable
    detections: DetectionTable
    classes: tuple[str, ...]


def tabulate(
    samples: Iterable[Sample], detections: Mapping[str, Detections], classes: Sequence[str]
) -> SplitTables:
    """Returns the tables of a split.

    Args:
        samples: the split's images, all of them, also those without objects.
        detections: by image id; an image without an entry has none.
        classes: names of the labels 1..K.

    Raises:
        DataError: samples and detections do not belong together.
    """
    objects = tabulate_objects(samples, classes)
    found = tabulate_detections(detections, objects.image_ids, classes)
    return SplitTables(objects, found, tuple(classes))


def tabulate_objects(samples: Iterable[Sample], classes: Sequence[str]) -> ObjectTable:
    """Returns the ground truth of `samples`, whose label k is `classes[k - 1]`.

    Raises:
        DataError: no sample at all, two of one id, or a label outside 1..K.
    """
    samples = list(samples)
    image_ids = tuple(sample.image_id for sample in samples)
    if not samples:
        raise DataError("the split has no images", remedy="name a split that has some")
    if len(set(image_ids)) != len(image_ids):
        twice = next(name for name in image_ids if image_ids.count(name) > 1)
        raise DataError(f"image {twice!r} is listed twice", remedy="give each its own name")
    table = ObjectTable(
        image_ids=image_ids,
        image=_image_of_each_row([len(sample.boxes) for sample in samples]),
        boxes=np.concatenate([sample.boxes for sample in samples]),
        labels=np.concatenate([sample.labels for sample in samples]),
        difficult=np.concatenate([sample.difficult for sample in samples]),
    )
    _check_labels(table.labels, classes, "an object")
    return table


def tabulate_detections(
    detections: Mapping[str, Detections], image_ids: Sequence[str], classes: Sequence[str]
) -> DetectionTable:
    """Returns `detections`, in the order of their file, or else of `image_ids`.

    Args:
        detections: by image id; an image without an entry has none.
        image_ids: the images of the split.
        classes: names of the labels 1..K.

    Raises:
        DataError: detections in an image that the split lacks, or a label outside 1..K.
    """
    unknown = detections.keys() - set(image_ids)
    if unknown:
        raise DataError(
            f"detections in image {min(unknown)!r}, which the split does not have "
            f"({len(unknown)} such images)",
            remedy="evaluate the split that was detected",
        )
    nothing = Detections.empty()
    found = [detections.get(image_id, nothing) for image_id in image_ids]
    table = DetectionTable(
        image=_image_of_each_row([len(each) for each in found]),
        boxes=np.concatenate([each.boxes for each in found]),
        scores=np.concatenate([each.scores for each in found]),
        labels=np.concatenate([each.labels for each in found]),
    )
    _check_labels(table.labels, classes, "a detection")
    if all(each.places is None for each in found):
        return table
    places = [np.zeros(len(each)) if each.places is None else each.places for each in found]
    return table.rows(np.argsort(np.concatenate(places), kind="stable"))


def require_objects(objects: ObjectTable) -> None:
    """Raises if there is no object to find, so that no class has an AP.

    Raises:
        DataError: all objects are difficult, or there are none.
    """
    if objects.difficult.all():
        raise DataError(
            f"the split has no object to find in {len(objects.image_ids)} images",
            remedy="evaluate a split with annotated objects that are not marked difficult",
        )


def rows_by_class(labels: npt.NDArray[np.integer], classes: Sequence[str]) -> list[IntArray]:
    """Returns for each class the rows of its label among `labels` (N,) in 0..K, in their order."""
    # NumPy sorts 16-bit integers by radix, in linear time; wider ones it does not.
    narrow = labels.astype(np.uint16) if len(classes) < 2**16 else labels
    order = np.argsort(narrow, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=len(classes) + 1))
    return [order[ends[k - 1] : ends[k]] for k in range(1, len(classes) + 1)]


def rows_by_image(detections: DetectionTable) -> IntArray:
    """Returns the rows (D,), image by image, and within an image by decreasing score."""
    order = decreasing_order(detections.scores)
    return order[np.argsort(detections.image[order], kind="stable")]


def decreasing_order(scores: ScoreArray) -> IntArray:
    """Returns the order (D,) of finite `scores` (D,) from high to low; equal ones keep theirs.

    The same as `np.argsort(-scores, kind="stable")` and four times as fast: the score in float32
    and the position are packed into one integer each, which NumPy sorts with vector instructions.
    """
    with np.errstate(over="ignore"):
        single = scores.astype(np.float32) + np.float32(0)  # + 0 makes -0 a 0
    bits = single.view(np.uint32)
    increasing = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = (~increasing).astype(np.uint64) << np.uint64(32) | np.arange(len(bits), dtype=np.uint64)
    keys.sort()
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    if scores.dtype != np.float32 and (np.diff(nearly := scores[order]) > 0).any():
        order = order[np.argsort(-nearly, kind="stable")]  # some are equal in float32 alone
    return order


def _image_of_each_row(counts: Sequence[int]) -> IntArray:
    return np.repeat(np.arange(len(counts)), counts)


def _check_labels(labels: IntArray, classes: Sequence[str], whose: str) -> None:
    if len(labels) and not (labels.min() >= 1 and labels.max() <= len(classes)):
        wrong = labels[(labels < 1) | (labels > len(classes))][0]
        raise DataError(
            f"{whose} has label {wrong}, but there are {len(classes)} classes",
            remedy="use the classes that the labels were made with",
        )
