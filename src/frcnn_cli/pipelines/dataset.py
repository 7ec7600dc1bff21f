"""A data set and its splits; those it lacks are made once and kept in the cache."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cache import records
from frcnn_cli.cache.keys import key_of
from frcnn_cli.cache.store import Cache
from frcnn_cli.data.dataset import Dataset, Problem
from frcnn_cli.data.find import find_dataset
from frcnn_cli.data.splits import make_splits
from frcnn_cli.errors import FrcnnError
from frcnn_cli.records import Sample

_KIND = "splits"
_SEED = 0
_LOGGER = logging.getLogger(__name__)

Splits = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class OwnNumbers:
    """What COCO data itself calls its photographs and classes; empty for other data.

    Attributes:
        images: the number, or name, of each photograph by its image id.
        categories: the number of each label 1..K.
    """

    images: Mapping[str, int | str]
    categories: tuple[int, ...]


def own_numbers(dataset: Dataset, samples: Iterable[Sample]) -> OwnNumbers:
    """Returns the data's own numbers of `samples` and of the classes."""
    if any(name not in dataset.categories for name in dataset.classes):
        return OwnNumbers({}, ())
    # The id of a photograph is its own, behind the name of its file where there are several.
    own = {sample.image_id: sample.image_id.rpartition("/")[2] for sample in samples}
    return OwnNumbers(
        {key: int(name) if name.isdecimal() else name for key, name in own.items()},
        tuple(dataset.categories[name] for name in dataset.classes),
    )


def open_dataset(path: Path, cache: Cache) -> Dataset:
    """Finds the data set in `path`; one without splits gets `trainval` and `test`.

    Raises:
        DataError: there is none.
        CacheError: the splits cannot be kept.
    """
    dataset = find_dataset(path)
    if dataset.splits:
        return dataset
    splits = _kept_splits(dataset, cache)
    return dataset.with_splits(splits)


def _kept_splits(dataset: Dataset, cache: Cache) -> Splits:
    """Returns the splits made at the first call; photographs that are new since join `trainval`."""
    key = key_of(root=str(dataset.root.resolve()), seed=_SEED)
    record = records.load(cache, _KIND, key)
    if record is None:
        splits: Splits = make_splits(dataset.class_sets(), seed=_SEED)
    else:
        there = set(dataset.ids)
        kept = {name: [i for i in ids if i in there] for name, ids in record["splits"].items()}
        new = sorted(there.difference(*kept.values()))
        kept["trainval"] += new
        splits = {name: tuple(ids) for name, ids in kept.items()}
        if new:
            _LOGGER.info("%d new photographs join the split trainval", len(new))
    if record is None or record["splits"] != {name: list(ids) for name, ids in splits.items()}:
        records.save(cache, _KIND, key, {"splits": splits})
    return splits


def read_split(dataset: Dataset, split: str) -> tuple[list[Sample], list[FrcnnError]]:
    """Returns the photographs of a split that can be used, and why the others cannot.

    Boxes that were mended are mentioned in the log.

    Raises:
        DataError: the data set has no such split.
    """
    failures: list[FrcnnError] = []

    def note(problem: Problem) -> None:
        if problem.dropped:
            failures.append(problem.error)
        else:
            _LOGGER.warning("%s", problem.error)

    return list(dataset.samples(split, note)), failures
