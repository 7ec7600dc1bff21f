"""A file of another tool's proposals → the cache, once it is known what its numbers mean."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from frcnn_cli import boxes as box_ops
from frcnn_cli.cache.keys import cached_content_hash
from frcnn_cli.cache.proposals import imported_key, save_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.image_files import find_images
from frcnn_cli.data.images import image_size
from frcnn_cli.data.lookup import SampleFinder
from frcnn_cli.data.open import open_dataset, own_numbers
from frcnn_cli.errors import CacheError, DataError, FrcnnError, ImageError
from frcnn_cli.proposals.interchange import read_proposals
from frcnn_cli.proposals.interchange.convention import (
    BoxConvention,
    ConventionFit,
    Example,
    choose_convention,
    fits,
)
from frcnn_cli.proposals.interchange.record import ImportedProposals, Name
from frcnn_cli.records import DoubleArray, FloatArray, Sample, as_boxes
from frcnn_cli.runtime.progress import Progress, silent, tracked

STEP = "Importing"

_EXAMPLES = 300
"""Images on which conventions are tried, spread over those with objects."""

_LOGGER = logging.getLogger(__name__)


@dataclass
class ImportRun:
    """Content of a file of proposals, and the result of importing it.

    Attributes:
        format: of the file, in words.
        documented: how a row is to be read, by the format's documentation.
        chosen: how it was read, and how well that fits.
        second: the next best convention; None where no other keeps boxes in their images.
        objects: how many the conventions were tried on; 0 where there is no ground truth.
        counts: boxes kept of each image.
        failures: images that have entries which cannot be used.
        unmatched_entries: entries of the file that belong to no image here.
        missing_images: images here that the file has no entry for.
        clipped: boxes that left their images and were clipped.
        dropped: boxes without area, which were left out.
    """

    format: str
    documented: BoxConvention
    chosen: ConventionFit
    second: ConventionFit | None
    objects: int
    counts: dict[Path, int] = field(default_factory=dict)
    failures: dict[Path, FrcnnError] = field(default_factory=dict)
    unmatched_entries: int = 0
    missing_images: int = 0
    clipped: int = 0
    dropped: int = 0


def import_proposals(
    paths: Sequence[Path],
    file: Path,
    name: str,
    cache: Cache,
    *,
    split: str,
    progress: Progress = silent,
) -> ImportRun:
    """Keeps the proposals in `file` under `name`, for `engine = "imported"`.

    Args:
        paths: a data set, whose ground truth shows what the numbers mean; or images and
            folders of them, and then the format's documentation is believed.
        file: what another tool, or `--export`, wrote.
        name: what they are called from now on.
        cache: where they are kept.
        split: whose order the file has, if it names no images.
        progress: called after each image.

    Raises:
        DataError: the file cannot be read, fits no image, or no convention fits its boxes.
        CacheError: the cache cannot be written.
    """
    imported = read_proposals(file)
    samples, numbers = _samples(paths, imported, split, cache)
    entries, unmatched_entries = _matched(imported, samples, numbers)
    if not entries:
        raise DataError(
            f"names no image of {paths[0]}, but {unmatched_entries:,} others"
            + (f" such as {imported.names[0]!r}" if imported.names else ""),
            remedy="name the data that the proposals were made for",
            file=file,
        )
    examples = _examples(entries)
    chosen, trials = choose_convention(examples, imported.documented)
    if not chosen.is_possible:
        raise DataError(
            f"read as {chosen.convention}, {chosen.misfits:.0%} of its boxes have no area or leave "
            "their images, and otherwise more",
            remedy="name the images, in the size, that the proposals were made for",
            file=file,
        )
    run = ImportRun(
        imported.format,
        imported.documented,
        chosen,
        next((trial for trial in trials if trial.is_possible and trial is not chosen), None),
        sum(len(example.objects) for example in examples),
        unmatched_entries=unmatched_entries,
        missing_images=len(samples) - len(entries),
    )
    cache.require_writable()
    for sample, rows in tracked(entries, STEP, progress):
        try:
            boxes = _usable(rows, sample.path, run)
            save_proposals(
                cache, imported_key(cached_content_hash(cache, sample.path), name), boxes
            )
            run.counts[sample.path] = len(boxes)
        except CacheError:
            raise
        except FrcnnError as error:
            run.failures[sample.path] = error
    return run


def _samples(
    paths: Sequence[Path], imported: ImportedProposals, split: str, cache: Cache
) -> tuple[list[Sample], Mapping[int | str, str]]:
    """Returns the images that the file may speak of, with their objects where known.

    Returns:
        The images, and the image id of each number that the data itself gives.
    """
    try:
        dataset = open_dataset(paths[0], cache) if len(paths) == 1 else None
    except DataError:
        dataset = None
    if dataset is not None:
        samples = _annotated(dataset, imported, split)
        numbers = own_numbers(dataset, (sample.image_id for sample in samples)).images
        return samples, {number: image_id for image_id, number in numbers.items()}
    found = find_images(paths)
    _require_order(imported, len(found), str(paths[0]))
    nothing = as_boxes([])
    return [
        Sample(str(path), path, nothing, np.zeros(0, np.int64), np.zeros(0, np.bool_))
        for path in found
    ], {}


def _annotated(dataset: Dataset, imported: ImportedProposals, split: str) -> list[Sample]:
    ids = dataset.ids if imported.names is not None else dataset.split(split)
    _require_order(imported, len(ids), f"split {split!r}")
    samples = []
    for image_id in ids:
        try:
            samples.append(dataset.read(image_id))
        except DataError as error:
            if imported.names is None:
                raise  # without it the others would get each other's boxes
            _LOGGER.warning("%s", error)
    return samples


def _require_order(imported: ImportedProposals, images: int, where: str) -> None:
    """Makes sure that a file without names has as many entries as there are images."""
    if imported.names is None and len(imported.boxes) != images:
        raise DataError(
            f"names no images and has {len(imported.boxes):,} entries, but {where} has "
            f"{images:,} images",
            remedy="name the split that it was made for with --split",
        )


def _matched(
    imported: ImportedProposals,
    samples: Sequence[Sample],
    numbers: Mapping[int | str, str],
) -> tuple[list[tuple[Sample, DoubleArray]], int]:
    """Returns the images with the rows of the file, and how many entries have none."""
    if imported.names is None:
        return list(zip(samples, imported.boxes, strict=True)), 0
    finder = SampleFinder(samples, numbers)
    by_id = {sample.image_id: sample for sample in samples}
    matched: dict[str, DoubleArray] = {}
    unmatched_entries = 0
    for name, rows in zip(imported.names, imported.boxes, strict=True):
        image_id = _find(finder, name)
        if image_id is None:
            unmatched_entries += 1
        elif image_id in matched:
            raise DataError(
                f"has two entries for image {image_id!r}, one of them named {name!r}",
                remedy="keep one",
            )
        else:
            matched[image_id] = rows
    return [(by_id[image_id], rows) for image_id, rows in matched.items()], unmatched_entries


def _find(finder: SampleFinder, name: Name) -> str | None:
    try:
        return finder.find_number(name)
    except DataError:
        return None


def _examples(entries: Sequence[tuple[Sample, DoubleArray]]) -> list[Example]:
    """Returns images to try conventions on: those with objects, if there are any."""
    whole = [(sample, rows) for sample, rows in entries if len(rows) and np.isfinite(rows).all()]
    pool = [each for each in whole if len(each[0].boxes)] or whole
    n = min(_EXAMPLES, len(pool))
    chosen = [pool[i * len(pool) // n] for i in range(n)]
    examples = []
    for sample, rows in chosen:
        with suppress(ImageError):  # reported when its boxes are taken
            size = image_size(sample.path)
            examples.append(Example(rows, sample.boxes[~sample.difficult], *size))
    return examples


def _usable(rows: DoubleArray, path: Path, run: ImportRun) -> FloatArray:
    """Returns the boxes of an image, clipped to it, those without area left out.

    Raises:
        DataError: a number is not finite, or the image cannot be read.
    """
    if not np.isfinite(rows).all():
        bad = int((~np.isfinite(rows)).any(axis=1).sum())
        raise DataError(
            f"{bad:,} of its {len(rows):,} imported boxes have numbers that are not finite",
            remedy="make its proposals again",
            file=path,
        )
    width, height = image_size(path)
    boxes = run.chosen.convention.apply(rows)
    clipped = box_ops.clip(boxes, width, height)
    has_area = (clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1])
    run.dropped += int((~has_area).sum())
    run.clipped += int((has_area & ~fits(boxes, width, height)).sum())
    return clipped[has_area].astype(np.float32)
