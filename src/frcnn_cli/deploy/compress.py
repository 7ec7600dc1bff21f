"""A checkpoint → a smaller and faster one, by truncated SVD of fc6 and fc7 (§3.1, §4.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from frcnn_cli.cache.checkpoints import CheckpointInfo, save_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.detection.detector import DetectionJob, LoadedDetector, load_model, model_of
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.loop import detect_image, detect_images
from frcnn_cli.errors import ConfigError, DataError, FrcnnError
from frcnn_cli.evaluation.metrics.voc import evaluate
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.model.low_rank import (
    LAYERS,
    Spectrum,
    fully_connected,
    joined,
    require_rank,
    useful_rank,
)
from frcnn_cli.proposals.service import ensure_proposals
from frcnn_cli.records import Detections, Sample
from frcnn_cli.runtime.memory import translate_out_of_memory
from frcnn_cli.runtime.progress import Progress, silent, tracked

STEPS = 6
"""Halvings of the search for the smallest ranks: the share of the spectrum is found to 1/64."""

SvdRanks = Mapping[str, int]
"""Rank of fc6 and of fc7; 0 is a whole layer."""


@dataclass(frozen=True)
class Validation:
    """Images and settings with which a compressed network is scored.

    Attributes:
        data: a data set.
        split: its images.
        images: how many of them, evenly spread; 0 is all.
        cache: where proposals are kept.
        proposals: how regions are searched.
        detect: thresholds; scoring wants a low one.
        device: where the network runs.
    """

    data: Path
    split: str
    images: int
    cache: Cache
    proposals: ProposalConfig
    detect: DetectConfig
    device: torch.device


@dataclass(frozen=True)
class RankTrial:
    """A network scored on a split.

    Attributes:
        ranks: of fc6 and fc7; 0 is whole.
        parameters: weights of fc6 and fc7.
        mean_ap: mAP by VOC07's rule, 0..1; NaN where nothing was scored.
        seconds: of the network and the post-processing per image; NaN the same.
    """

    ranks: SvdRanks
    parameters: int
    mean_ap: float = math.nan
    seconds: float = math.nan


class Compressor:
    """A network whose fully connected layers can be cut to any rank; decomposed once.

    Args:
        model: on the CPU, float32; it is not changed.
        info: what it is.

    Attributes:
        info: the same.
        ranks: of fc6 and fc7 as they are; not 0 if they were compressed before.

    Raises:
        ConfigError: its head has no fc6 and fc7.
    """

    def __init__(self, model: FastRCNN, info: CheckpointInfo) -> None:
        self.info = info
        self.ranks: SvdRanks = {"fc6": info.model.fc6_rank, "fc7": info.model.fc7_rank}
        self._state = joined(model.state_dict())
        if any(self.ranks.values()):
            uncut = replace(info.model, fc6_rank=0, fc7_rank=0)
            model = model_of(self._state, replace(info, model=uncut))
        self._layers = {name: fully_connected(model.backbone, name) for name in LAYERS}
        self._spectra: dict[str, Spectrum] = {}

    def ranks_of(self, share: float) -> dict[str, int]:
        """Returns the lowest ranks that keep `share` (0..1) of each layer's sum of squares.

        A rank that would save nothing is 0: the layer stays whole.
        """
        return {
            name: useful_rank(layer, min(self._spectrum(name).rank_of(share), self._most(name)))
            for name, layer in self._layers.items()
        }

    def at(self, ranks: SvdRanks) -> tuple[dict[str, Tensor], CheckpointInfo]:
        """Returns the tensors of the compressed network, and what it is.

        Raises:
            ConfigError: a layer has no such rank.
        """
        tensors = dict(self._state)
        for name, rank in ranks.items():
            if rank:
                require_rank(name, rank, self._most(name))
                prefix = f"backbone.head.{name}."
                for kind in ("weight", "bias"):
                    del tensors[prefix + kind]
                parts = self._spectrum(name).truncated(rank)
                tensors |= {prefix + part: tensor for part, tensor in parts.items()}
        model = replace(self.info.model, fc6_rank=ranks["fc6"], fc7_rank=ranks["fc7"])
        return tensors, replace(self.info, model=model)

    def trial(self, ranks: SvdRanks) -> RankTrial:
        """Returns how many weights fc6 and fc7 have at `ranks`."""
        total = 0
        for name, rank in ranks.items():
            weight = self._layers[name].weight
            total += rank * sum(weight.shape) if rank else weight.numel()
        return RankTrial(ranks, total)

    def _most(self, name: str) -> int:
        return self.ranks[name] or min(self._layers[name].weight.shape)

    def _spectrum(self, name: str) -> Spectrum:
        if name not in self._spectra:
            self._spectra[name] = Spectrum(self._layers[name])
        return self._spectra[name]


@dataclass(frozen=True)
class Compression:
    """A compressed network that was written.

    Attributes:
        before: the network as it was.
        after: as it was written.
        trials: all that was scored, in the order in which it was.
        images: how many were scored on.
        failures: images that could not be used.
    """

    before: RankTrial
    after: RankTrial
    trials: tuple[RankTrial, ...] = ()
    images: int = 0
    failures: tuple[FrcnnError, ...] = ()


def compress_to(source: Path, out: Path, ranks: SvdRanks) -> Compression:
    """Writes the checkpoint `source` cut to `ranks` as `out`.

    Args:
        source: a checkpoint.
        out: the compressed checkpoint.
        ranks: of fc6 and fc7; 0 leaves a layer as it is.

    Raises:
        FrcnnError: the checkpoint cannot be read, has no such layers or ranks, or `out` cannot be
            written.
    """
    if not any(ranks.values()):
        raise ConfigError("no rank is given", remedy="use --fc6 R, --fc7 R or --max-drop POINTS")
    _require_another(source, out)
    compressor = Compressor(*load_model(source))
    ranks = {name: rank or compressor.ranks[name] for name, rank in ranks.items()}
    save_checkpoint(out, *compressor.at(ranks))
    return Compression(compressor.trial(compressor.ranks), compressor.trial(ranks))


@translate_out_of_memory("close what else uses the GPU, or use --gpus 0")
def compress_within(
    source: Path, out: Path, max_drop: float, *, validation: Validation, progress: Progress = silent
) -> Compression:
    """Writes `source` cut to the smallest ranks that keep its mAP within `max_drop`.

    Both layers keep the same share of their spectrum, found by bisection: the mAP falls as the
    share does, but for noise.

    Args:
        source: a checkpoint.
        out: the compressed checkpoint.
        max_drop: how much the mAP may fall at most, 0..1.
        validation: what it is scored on; not what the result will be reported on.
        progress: called after each image.

    Raises:
        FrcnnError: as `compress_to`, or the data cannot be used.
    """
    _require_another(source, out)
    compressor = Compressor(*load_model(source))
    scorer = _Scorer(compressor, validation, progress)
    before = scorer.score(compressor.ranks, f"Scoring 1 of {STEPS + 1}")
    best, trials = before, [before]
    low, high = 0.0, 1.0  # `high` keeps the mAP
    for step in range(STEPS):
        share = (low + high) / 2
        ranks = compressor.ranks_of(share)
        known = [each for each in trials if each.ranks == ranks]
        trial = known[0] if known else scorer.score(ranks, f"Scoring {step + 2} of {STEPS + 1}")
        trials += [] if known else [trial]
        if trial.mean_ap >= before.mean_ap - max_drop:
            high = share
            best = min(best, trial, key=lambda each: each.parameters)
        else:
            low = share
    save_checkpoint(out, *compressor.at(best.ranks))
    return Compression(before, best, tuple(trials), len(scorer.samples), tuple(scorer.failures))


def _require_another(source: Path, out: Path) -> None:
    """Refuses to replace a detector by its compressed form, which cannot be undone."""
    if out.exists() and out.samefile(source):
        raise ConfigError(
            "is the detector that is compressed", remedy="name another file with --out", file=out
        )


class _Scorer:
    """Scores a network at several ranks on the same images.

    Attributes:
        samples: the images.
        failures: why others cannot be scored on.
    """

    def __init__(self, compressor: Compressor, validation: Validation, progress: Progress) -> None:
        self._compressor, self._validation, self._progress = compressor, validation, progress
        dataset = open_dataset(validation.data, validation.cache)
        self._classes = compressor.info.classes
        samples, self.failures = read_split(dataset.with_classes(self._classes), validation.split)
        if validation.images:
            step = max(1, len(samples) // validation.images)
            samples = samples[::step][: validation.images]
        paths = [sample.path for sample in samples]
        run = ensure_proposals(paths, validation.proposals, validation.cache, progress=progress)
        self.failures += run.failures.values()
        self.samples: list[Sample] = []
        for sample in samples:
            if sample.path in run.failures:
                continue
            try:
                load_image(sample.path)  # its proposals may be known although the file is gone
            except FrcnnError as error:
                self.failures.append(error)
            else:
                self.samples.append(sample)
        if not self.samples:
            raise DataError(f"split {validation.split!r} has no image to score on")

    def score(self, ranks: SvdRanks, step: str) -> RankTrial:
        """Returns mAP and time at `ranks`."""
        tensors, info = self._compressor.at(ranks)
        rules = self._validation
        detector = LoadedDetector.of(model_of(tensors, info).to(rules.device), info)
        job = DetectionJob(detector, rules.cache, rules.proposals, rules.detect)
        images = [ImageInput(sample.path) for sample in self.samples]
        detect_image(images[0], job)  # the first one also sets things up
        found: dict[str, Detections] = {}
        seconds = 0.0
        samples = tracked(self.samples, step, self._progress)
        for sample, image in zip(samples, detect_images(images, job), strict=True):
            if isinstance(image, FrcnnError):
                raise image
            found[sample.image_id] = image.detections
            seconds += image.seconds["network"] + image.seconds["postprocess"]
        mean_ap = evaluate(self.samples, found, self._classes).mean_ap("voc07")
        trial = self._compressor.trial(ranks)
        return replace(trial, mean_ap=mean_ap, seconds=seconds / len(self.samples))
