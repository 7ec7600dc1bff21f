"""Common form of all formats: boxes as the file has them, image by image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange.convention import BoxConvention
from frcnn_cli.records import DoubleArray

Name = str | int


@dataclass(frozen=True, slots=True)
class ImportedProposals:
    """The proposals of a file, not yet understood.

    Attributes:
        format: of the file, in words.
        documented: how a row is to be read, by the format's own documentation.
        names: how the file calls each image; None where it has the order of a split.
        boxes: (N, 4) of each image, four numbers per row, by decreasing score or in the file's
            order.
    """

    format: str
    documented: BoxConvention
    names: tuple[Name, ...] | None
    boxes: tuple[DoubleArray, ...]


def ordered(rows: Any, scores: Any, where: str) -> DoubleArray:
    """Returns boxes (N, 4) by decreasing score.

    Args:
        rows: (N, 4), or (N, 5) with scores in the last column.
        scores: (N,), or None where there are none, or only those in `rows`.
        where: the image, for messages.

    Raises:
        DataError: the numbers do not have these shapes.
    """
    try:
        table = np.asarray(rows, np.float64)
        if table.size == 0:
            return np.zeros((0, 4))
        if table.ndim != 2 or table.shape[1] not in {4, 5}:
            raise ValueError(f"an array of shape {table.shape}")
        if scores is None and table.shape[1] == 5:
            scores = table[:, 4]
        if scores is None:
            return table
        order = np.argsort(-np.asarray(scores, np.float64).reshape(len(table)), kind="stable")
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{where} has {error} instead of one row of four numbers per box"
        ) from error
    return table[order, :4]


def collect(
    format_name: str,
    documented: BoxConvention,
    entries: Iterable[tuple[Name | None, Any, Any]],
) -> ImportedProposals:
    """Returns the proposals of a file.

    Args:
        format_name: of the file, in words.
        documented: how boxes are written, by the format's documentation.
        entries: name (None where the file has none), rows (N, 4 or more) and scores of each image.

    Raises:
        DataError: an image comes twice, or its numbers are not boxes.
    """
    names: list[Name] = []
    boxes = []
    seen: set[Name] = set()
    for place, (name, rows, scores) in enumerate(entries):
        if name is not None:
            if name in seen:
                raise DataError(f"image {name!r} is listed twice", remedy="keep one entry")
            seen.add(name)
            names.append(name)
        boxes.append(ordered(rows, scores, f"image {place if name is None else repr(name)}"))
    return ImportedProposals(format_name, documented, tuple(names) if names else None, tuple(boxes))


def same_length(**columns: Sequence[Any]) -> None:
    """Makes sure that the columns of a file belong together.

    Raises:
        DataError: they differ in length.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} {name}" for name, length in lengths.items())
        raise DataError(f"has {found}, which do not belong together")
