"""`Dataset`: the common form of every format, which reads one image's ground truth at a time.

A format supplies a `Reader`; here its answers are checked against the image and numbered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from frcnn_cli.data.images import image_size
from frcnn_cli.data.record import Record, clip, joined, without_repeats
from frcnn_cli.errors import AnnotationError, DataError, ImageError, count, some_of
from frcnn_cli.records import Sample


class Reader(Protocol):
    """Reads a format, by id; it holds ids and paths, and opens files when asked."""

    def read(self, image_id: str) -> Record:
        """Returns what is known of an image, or raises AnnotationError."""

    def class_names(self, image_id: str) -> frozenset[str]:
        """Returns the classes in an image, without looking for it; or AnnotationError."""

    def unannotated(self) -> Iterable[Path]:
        """Returns the images beside the data set's own that have no annotation."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with one image of a data set.

    Attributes:
        image_id: the image.
        error: what is wrong first; `str(error)` is one line with file, value and remedy.
        dropped: whether the image is left out; otherwise it is used, fixed.
        repeated: whether it was fixed by leaving out an object that is there twice.
    """

    image_id: str
    error: DataError
    dropped: bool
    repeated: bool = False

    @property
    def errors(self) -> tuple[DataError, ...]:
        """All that is wrong."""
        return (self.error, *self.error.others)


Report = Callable[[Problem], None]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Annotated images, found and read lazily.

    Attributes:
        format: what was found, in words such as "VOC year folder".
        root: the folder that was found.
        ids: every image, in the data set's order.
        splits: the ids of each split; empty where the data has none.
        reader: reads the format.
        class_list: the classes in the order of their labels; None finds and sorts them.
        categories: the number that the data's own files give a class, by its name; empty where
            they give none.
        notes: what is wrong with the data set as a whole; the rest of it is used.
    """

    format: str
    root: Path
    ids: tuple[str, ...]
    splits: Mapping[str, tuple[str, ...]]
    reader: Reader
    class_list: tuple[str, ...] | None = None
    categories: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[DataError, ...] = ()

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {len(ids):,}" for name, ids in self.splits.items())
        splits = f"splits: {parts}" if parts else "no splits"
        return f"{self.format} {self.root}: {count(len(self.ids), 'image')}, {splits}"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The K classes; label k is `classes[k - 1]`. The first look reads every annotation.

        Raises:
            DataError: no annotation that can be read has an object.
        """
        names = self.class_list
        if names is None:
            names = tuple(sorted(frozenset().union(*(found for _, found in self.class_sets()))))
        if not names:
            raise DataError(
                "has no annotated object", remedy="annotate some images first", file=self.root
            )
        return names

    @cached_property
    def labels(self) -> Mapping[str, int]:
        """The label 1..K of each class."""
        return {name: label for label, name in enumerate(self.classes, 1)}

    def class_sets(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Yields (id, its classes) of every image; unreadable annotations count as none."""
        for image_id in self.ids:
            try:
                yield image_id, self.reader.class_names(image_id)
            except AnnotationError:  # reported when the image is read
                yield image_id, frozenset()

    def split(self, name: str) -> tuple[str, ...]:
        """Returns the ids of a split.

        Raises:
            DataError: the data set has no such split.
        """
        if name in self.splits:
            return self.splits[name]
        there = [name for name, ids in self.splits.items() if ids]
        remedy = f"use one of {some_of(there)}" if there else "it has no splits"
        raise DataError(f"has no split {name!r}", remedy=remedy, file=self.root)

    def with_splits(self, splits: Mapping[str, tuple[str, ...]]) -> Dataset:
        """Returns the same data with other splits."""
        return dataclasses.replace(self, splits=dict(splits))

    def with_classes(self, classes: tuple[str, ...]) -> Dataset:
        """Returns the same data labelled by `classes` in that order, such as a checkpoint's.

        An image with an object of another class then cannot be read.
        """
        return dataclasses.replace(self, class_list=tuple(classes))

    def record(self, image_id: str, report: Report | None = None) -> Record:
        """Reads what is known of one image, and checks it against the image.

        Boxes that leave the image are clipped; by more than one pixel, that is reported. Of
        objects with the same class and box, one is used.

        Args:
            image_id: one of `ids`.
            report: receives boxes that were clipped and objects that are there twice.

        Raises:
            AnnotationError: the annotation or one of its objects cannot be trusted; its `others`
                name what else is wrong.
            ImageError: the image's header cannot be read.
        """
        return self._checked(image_id, report, lambda _: [])

    def read(self, image_id: str, report: Report | None = None) -> Sample:
        """Reads one image's ground truth: `record` with labels.

        Raises:
            AnnotationError: as `record`, or an object is of a class that has no label.
            ImageError: as `record`.
        """
        record = self._checked(image_id, report, self._unknown)
        labels = np.array([self.labels[name] for name in record.names], np.int64)
        return Sample(image_id, record.path, record.boxes, labels, record.difficult)

    def samples(self, split: str, report: Report | None = None) -> Iterator[Sample]:
        """Yields the images of a split, one at a time, in its order.

        Args:
            split: one of `splits`.
            report: receives every problem, and images that cannot be read are left out;
                None stops at the first of them.

        Raises:
            DataError: the data set has no such split.
            AnnotationError: as `read`, where nobody takes reports.
            ImageError: as `read`, where nobody takes reports.
        """
        for image_id in self.split(split):
            try:
                sample = self.read(image_id, report)
            except DataError as error:
                if report is None:
                    raise
                report(Problem(image_id, error, dropped=True))
            else:
                yield sample

    def _checked(
        self, image_id: str, report: Report | None, more: Callable[[Record], list[AnnotationError]]
    ) -> Record:
        """Returns `record`, if neither it nor `more` finds anything wrong."""
        record = self.reader.read(image_id)
        errors: list[DataError] = [*record.faults, *more(record)]
        try:
            size = record.size or image_size(record.path)
        except ImageError as error:
            raise joined([error, *errors]) from error
        clipped, refused, warnings = clip(record, size)
        if errors or refused:
            raise joined([*errors, *refused])
        record, repeats = without_repeats(dataclasses.replace(record, boxes=clipped, size=size))
        if report is not None:
            for warning in warnings:
                report(Problem(image_id, warning, dropped=False))
            for repeat in repeats:
                report(Problem(image_id, repeat, dropped=False, repeated=True))
        return record

    def _unknown(self, record: Record) -> list[AnnotationError]:
        return [
            AnnotationError(
                f"{place} is of the unknown class {name!r}",
                remedy=f"known are {some_of(self.classes)}",
                file=record.source,
            )
            for place, name in zip(record.places, record.names, strict=True)
            if name not in self.labels
        ]
