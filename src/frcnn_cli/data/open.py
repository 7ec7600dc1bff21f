"""A data set and its splits; those it lacks are made once and kept in the cache."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Self

import msgspec

from frcnn_cli.cache import records
from frcnn_cli.cache.keys import key_of
from frcnn_cli.cache.runs import require_name
from frcnn_cli.cache.store import Cache
from frcnn_cli.data.dataset import Dataset, Problem
from frcnn_cli.data.formats.coco import CocoReader
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.formats.layout import complete, known_splits
from frcnn_cli.data.lookup import as_number
from frcnn_cli.data.splits import make_splits
from frcnn_cli.errors import DataError, FrcnnError
from frcnn_cli.records import Sample

_KIND = "splits"
_SEED = 0
_LOGGER = logging.getLogger(__name__)

Splits = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class OwnNumbers:
    """COCO data's own numbers of its images and classes; empty for other data.

    Attributes:
        images: the number, or name, of each image by its image id, different for each: where
            several files count from 1, the image id itself.
        categories: the number of each label 1..K, different for each.
    """

    images: Mapping[str, int | str]
    categories: tuple[int, ...]


def own_numbers(dataset: Dataset, ids: Iterable[str]) -> OwnNumbers:
    """Returns the data's own numbers of the images `ids` and of the classes."""
    if not isinstance(dataset.reader, CocoReader):
        return OwnNumbers({}, ())
    own = {image_id: as_number(dataset.reader.number(image_id)) for image_id in ids}
    counts = Counter(own.values())
    images = {
        image_id: image_id if counts[number] > 1 else number for image_id, number in own.items()
    }
    given = dataset.reader.category_numbers(own) or dataset.categories
    return OwnNumbers(images, _different(given, dataset.classes))


def _different(given: Mapping[str, int], classes: Iterable[str]) -> tuple[int, ...]:
    """Returns a number for each class: its own, or one after all if it has none to itself."""
    numbers: dict[str, int] = {}
    for name in classes:
        if name in given and given[name] not in numbers.values():
            numbers[name] = given[name]
    free = count(max([0, *given.values()]) + 1)
    return tuple(numbers[name] if name in numbers else next(free) for name in classes)


def open_dataset(path: Path, cache: Cache, *, warn: bool = True) -> Dataset:
    """Finds the data set in `path`; one without splits gets `trainval` and `test`.

    Splits that `make_split` made are there too.

    Args:
        path: the folder.
        cache: keeps the splits.
        warn: whether the notes on the data set are logged as warnings.

    Raises:
        DataError: there is none.
        CacheError: the splits cannot be kept.
    """
    dataset = find_dataset(path)
    for note in dataset.notes if warn else ():
        _LOGGER.warning("%s", note)
    if not known_splits(dataset.splits):
        made = complete(_kept_splits(dataset, cache))
        dataset = dataset.with_splits({**made, **dataset.splits})
        sizes = " and ".join(f"{name} ({len(ids):,})" for name, ids in made.items())
        _LOGGER.info("%s is not split into train, val and test: made %s", dataset.root, sizes)
    for name, ids in _made_splits(dataset, cache).items():
        if name not in dataset.splits:
            dataset = dataset.with_splits(_with_split(dataset, name, ids))
    return dataset


def make_split(dataset: Dataset, name: str, share: float, seed: int, cache: Cache) -> Dataset:
    """Returns the data set with a new split that takes a share of each class, and keeps it.

    `val` is taken from `train`; others are taken from `trainval` and leave every other split.

    Args:
        dataset: of `open_dataset`.
        name: of the new split.
        share: of the images of the split that it is taken from.
        seed: another seed, another choice.
        cache: keeps the split; the user's folder is never written to.

    Raises:
        ConfigError: `name` cannot be the name of a file, as it will be in a list of VOC.
        DataError: there is such a split, or none to take it from, or too few images.
        CacheError: the split cannot be kept.
    """
    require_name(name, "a split")
    if name in dataset.splits:
        raise DataError(
            f"has a split {name!r} already", remedy="choose another name", file=dataset.root
        )
    source = "train" if name == "val" and "train" in dataset.splits else "trainval"
    members = frozenset(dataset.split(source))
    images = (each for each in dataset.class_sets() if each[0] in members)
    ids = make_splits(images, seed=seed, share=share)["test"]
    if not ids:
        raise DataError(
            f"has too few images in {source!r} to take {name!r} from",
            remedy="add images",
            file=dataset.root,
        )
    made = {**_made_splits(dataset, cache), name: list(ids)}
    records.save(cache, _KIND, _made_key(dataset), {"splits": made})
    return dataset.with_splits(_with_split(dataset, name, ids))


def _with_split(dataset: Dataset, name: str, ids: Iterable[str]) -> Splits:
    """Returns the splits with a made one, whose images leave the others."""
    there = set(dataset.ids)
    mine = tuple(image_id for image_id in ids if image_id in there)
    taken = frozenset(mine)
    splits = dict(dataset.splits)
    if name == "val" and "train" not in splits:
        splits["train"] = splits.get("trainval", ())
    for other in ["train"] if name == "val" else list(splits):
        splits[other] = tuple(each for each in splits.get(other, ()) if each not in taken)
    return complete({**splits, name: mine})


def _made_key(dataset: Dataset) -> str:
    return key_of(root=str(dataset.root.resolve()), made=True)


def _made_splits(dataset: Dataset, cache: Cache) -> dict[str, list[str]]:
    return _lists(records.load(cache, _KIND, _made_key(dataset)))


def _lists(record: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """Returns the lists of ids in a record, which others may have written."""
    try:
        return msgspec.convert((record or {}).get("splits", {}), dict[str, list[str]])
    except msgspec.ValidationError:
        return {}


def _kept_splits(dataset: Dataset, cache: Cache) -> Splits:
    """Returns the splits made at the first call; images that are new since join `trainval`."""
    key = key_of(root=str(dataset.root.resolve()), seed=_SEED)
    record = records.load(cache, _KIND, key)
    kept = _lists(record)
    if not {"trainval", "test"} <= kept.keys():
        splits: Splits = make_splits(dataset.class_sets(), seed=_SEED)
    else:
        there = set(dataset.ids)
        kept = {name: [i for i in ids if i in there] for name, ids in kept.items()}
        new = sorted(there.difference(*kept.values()))
        kept["trainval"] += new
        splits = {name: tuple(ids) for name, ids in kept.items()}
        if new:
            _LOGGER.info("%d new images join the split trainval", len(new))
    if record is None or record.get("splits") != {name: list(ids) for name, ids in splits.items()}:
        records.save(cache, _KIND, key, {"splits": splits})
    return splits


def read_split(dataset: Dataset, split: str) -> tuple[list[Sample], list[FrcnnError]]:
    """Returns the images of a split that can be used, and why the others cannot.

    Boxes that were fixed are mentioned in the log.

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


@dataclass(frozen=True)
class SplitSamples:
    """The images of a split that can be used, and why the others cannot.

    Attributes:
        dataset: the data set.
        name: name of the split.
        samples: the images and their ground truth.
        failures: why the other images cannot be used.
    """

    dataset: Dataset
    name: str
    samples: Sequence[Sample]
    failures: Sequence[FrcnnError]

    @staticmethod
    def read(dataset: Dataset, name: str) -> SplitSamples:
        """Reads a split; see `read_split`."""
        return SplitSamples(dataset, name, *read_split(dataset, name))

    def usable(
        self,
        fits: Callable[[Sample], bool] = lambda _: True,
        failures: Iterable[FrcnnError] = (),
    ) -> Self:
        """Returns those that `fits` accepts, and `failures` why it refuses others.

        Raises:
            DataError: there is none, and why.
        """
        found = replace(
            self,
            samples=[sample for sample in self.samples if fits(sample)],
            failures=[*self.failures, *failures],
        )
        if found.samples:
            return found
        if found.failures:
            problem = f"no image of split {self.name!r} can be used, the first because"
            raise DataError(f"{problem} {found.failures[0]}", file=self.dataset.root)
        problem = f"split {self.name!r} is empty"
        raise DataError(problem, remedy="add images to it", file=self.dataset.root)

    def own_numbers(self) -> OwnNumbers:
        """Returns what the data itself calls these images and its classes."""
        return own_numbers(self.dataset, (sample.image_id for sample in self.samples))
