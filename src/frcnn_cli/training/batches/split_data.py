"""Images for training and evaluation, with their proposals."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig, ValidationConfig
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.open import SplitSamples
from frcnn_cli.data.overlaps import overlaps_of
from frcnn_cli.errors import ConfigError, DataError
from frcnn_cli.proposals.service import ProposalRun, ensure_proposals
from frcnn_cli.runtime.progress import Progress, silent

FINAL = "test"
"""The split that scores a run at its end if none was left to select its checkpoint."""
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitData(SplitSamples):
    """The usable images of a split.

    Attributes:
        proposals: of all of them.
    """

    proposals: ProposalRun


@dataclass(frozen=True)
class AnnotatedData(SplitSamples):
    """The readable images of the split to train on: the source of those and of what is held out.

    Attributes:
        validation: names the split to evaluate on.
        proposals: settings of the search.
        cache: holds the proposals.
        progress: of the search.
    """

    validation: ValidationConfig
    proposals: ProposalConfig
    cache: Cache
    progress: Progress = silent

    def train(self) -> SplitData:
        """Returns the images to train on that have proposals, after a search.

        Raises:
            DataError: no image with an object is left.
        """
        return self._search(self)

    def _search(self, data: SplitSamples) -> SplitData:
        """Returns the images that have proposals, after searching those that are missing.

        Raises:
            DataError: no image with an object is left.
        """
        paths = [sample.path for sample in data.samples]
        proposals = ensure_proposals(paths, self.proposals, self.cache, progress=self.progress)
        usable = [sample for sample in data.samples if sample.path not in proposals.failures]
        failures = [*data.failures, *proposals.failures.values()]
        found = SplitData(self.dataset, data.name, usable, failures, proposals)
        require_objects(found)
        return found

    def held_out(self) -> SplitData | None:
        """Returns images of the split to evaluate on that are not trained on; None without any.

        They are at most `validation_images`, evenly spread, as a split may be sorted by class.

        Raises:
            ConfigError: `patience` is set, but all images are trained on under another name.
        """
        config, name = self.validation, self.validation.eval_split
        if not config.validation_images:
            return None
        apart = self.apart(name)
        samples = apart.samples
        if config.patience and not samples:
            raise _nothing_to_wait_for(config)
        n = min(config.validation_images, len(samples))
        chosen = [samples[i * len(samples) // n] for i in range(n)]
        if not any((~sample.difficult).any() for sample in chosen):
            if samples:
                _LOGGER.warning("the split %s has no object to evaluate on", name)
            return None
        return self._search(replace(apart, samples=chosen))

    def final(self) -> SplitData | None:
        """Returns what is held out of the split to evaluate on or else of `test`, if objects are.

        Raises:
            DataError: no image with an object can be used.
        """
        if not self.validation.final_eval:
            return None
        for name in dict.fromkeys((self.validation.eval_split, FINAL)):
            apart = self.apart(name)
            if any((~sample.difficult).any() for sample in apart.samples):
                return self._search(apart)
        return None

    def apart(self, name: str) -> SplitSamples:
        """Returns the images of a split that are not trained on, and why others cannot be used.

        An image is trained on if it is the same file as an image of `samples`, or has the same
        bytes, whatever its id. Those are counted in a warning, unless the splits share the ids.
        """
        ids = held_out_ids(self.dataset, self.name, name)
        if not ids:
            return SplitSamples(self.dataset, name, [], [])
        read = SplitSamples.read(self.dataset.with_splits({name: ids}), name)
        known = overlaps_of(
            {sample.image_id: sample.path for sample in self.samples},
            {sample.image_id: sample.path for sample in read.samples},
        )
        shared = len(known) + len(self.dataset.splits[name]) - len(ids)
        if shared:
            example = next(iter(known.values()), f"those in the lists of {name} and {self.name}")
            _LOGGER.warning(
                "%d of %d images of %s are trained on and do not count as held out: %s",
                shared,
                len(self.dataset.splits[name]),
                name,
                example,
            )
        held_out = [sample for sample in read.samples if sample.image_id not in known]
        return replace(read, samples=held_out)


def require_objects(data: SplitSamples) -> None:
    """Raises if a split has nothing to train on.

    Raises:
        DataError: no usable image has an object.
    """
    if not any(len(sample.boxes) for sample in data.samples):
        because = f", the first problem is: {data.failures[0]}" if data.failures else ""
        raise DataError(
            f"split {data.name!r} has no image with an object that can be used{because}",
            remedy="repair the images or choose another --split",
            file=data.dataset.root,
        )


def require_evaluation(dataset: Dataset, split: str, config: ValidationConfig) -> None:
    """Raises if the configured evaluation is impossible.

    Args:
        dataset: the data set.
        split: the images to train on.
        config: names the split to evaluate on.

    Raises:
        DataError: the data set does not have the named split.
        ConfigError: `patience` is set, but there is nothing to evaluate on.
    """
    name = config.eval_split
    if name != ValidationConfig.eval_split:
        dataset.split(name)
    if config.patience and not (config.validation_images and held_out_ids(dataset, split, name)):
        raise _nothing_to_wait_for(config)


def held_out_ids(dataset: Dataset, split: str, other: str) -> tuple[str, ...]:
    """Returns the ids of the split `other`, if there is one, that are not in `split`.

    Args:
        dataset: the data set.
        split: what is trained on.
        other: name of a split, which need not exist.
    """
    ids = frozenset(dataset.split(split))
    return tuple(each for each in dataset.splits.get(other, ()) if each not in ids)


def _nothing_to_wait_for(config: ValidationConfig) -> ConfigError:
    return ConfigError(
        f"patience is {config.patience}, but no images of {config.eval_split!r} are held out to "
        "evaluate on",
        remedy="train on another --split, such as train, or name another --eval-split"
        if config.validation_images
        else "set validation_images in [train]",
    )
