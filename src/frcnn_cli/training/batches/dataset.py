"""Batches of a training run, each a function of its step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from frcnn_cli.config import InputConfig, TrainConfig
from frcnn_cli.data.images import load_image, resize
from frcnn_cli.errors import FrcnnError
from frcnn_cli.model.backbones.base import BackboneSpec
from frcnn_cli.model.batch import Batch, prepare
from frcnn_cli.model.delta_normalization import class_target_statistics, target_statistics
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.model.targets import RegionTargets, sample_rois
from frcnn_cli.proposals.service import ProposalRun
from frcnn_cli.records import Sample
from frcnn_cli.runtime.cores import all_cores
from frcnn_cli.training.batches.augment import (
    TrainingExample,
    color_jitter,
    of_ignored,
    random_flip_crop,
    random_tile,
)
from frcnn_cli.training.batches.loading import loaded_ahead
from frcnn_cli.training.batches.sampler import images_of_step, repeat_factors, seed_for
from frcnn_cli.training.distributed.context import SINGLE_PROCESS, DistributedContext

_LOADERS = 8
"""Largest number of processes that load images for a GPU."""


class PixelBatch(Batch):
    """A batch on its way to a GPU, which prepares the images: they are (h, w, 3) uint8 until then.

    So a quarter of the bytes go through the loading processes and to the GPU.
    """

    __slots__ = ()


@dataclass(eq=False)
class TrainingSet:
    """Batches by step: images are drawn, augmented and resized, and their RoIs sampled.

    With tiles, an image is seen in one of its windows at a time.

    Attributes:
        samples: the images and their ground truth.
        proposals: of the images, read from the cache on demand.
        config: the training settings.
        spec: of the backbone: preprocessing and stride.
        context: the batches hold this rank's shard of each step.
        device: the batches are copied to it.
    """

    samples: Sequence[Sample]
    proposals: ProposalRun
    config: TrainConfig
    spec: BackboneSpec
    context: DistributedContext = SINGLE_PROCESS
    device: torch.device = torch.device("cpu")  # noqa: RUF009

    def __post_init__(self) -> None:
        self._shares = self._shares_of_a_pass()

    def __len__(self) -> int:
        return self.config.schedule.iterations

    def __getitem__(self, step: int) -> Batch | FrcnnError:
        # Returned and not raised: a worker process would end.
        try:
            return self._batch(step)
        except FrcnnError as error:
            return error

    def _batch(self, step: int) -> Batch:
        config = self.config
        count = len(self.samples)
        batch = config.schedule.images_per_batch
        drawn = images_of_step(step, batch, config.seed, self._shares)
        share = self.context.shard(list(enumerate(drawn)))
        loaded = [
            self._image(
                self.samples[index % count],
                seed_for(config.seed, step, slot, 2),
                flipped=index >= count,
            )
            for slot, index in share
        ]
        images, rois, targets = zip(*loaded, strict=True)
        kind = Batch if self.device.type == "cpu" else PixelBatch
        return kind(
            images,
            rois,
            torch.cat([sampled.labels for sampled in targets]),
            torch.cat([sampled.deltas for sampled in targets]),
            tuple(self.samples[index % count].image_id for _, index in share),
        )

    def _shares_of_a_pass(self) -> Tensor:
        """Returns how often a pass draws each image, relative to each other, (N,) or (2 N,).

        Flipped copies are the images N to 2 N - 1.
        """
        sampling, samples = self.config.sampling, self.samples
        shares = torch.ones(len(samples))
        if sampling.class_balance:
            taught = [s.labels[~s.difficult | sampling.train_on_difficult] for s in samples]
            shares = repeat_factors(taught, sampling.class_balance)
        return shares.repeat(2) if self.config.augmentation.flip_copies else shares

    def _image(
        self, sample: Sample, seed: int, *, flipped: bool
    ) -> tuple[Tensor, Tensor, RegionTargets]:
        """Returns the image of a batch, its RoIs (R, 4), and their targets, drawn by a seed.

        The image is as in a `Batch` on a CPU, and as in a `PixelBatch` for a GPU.
        """
        config, sampling = self.config.augmentation, self.config.sampling
        generator = torch.Generator().manual_seed(seed)
        scene = TrainingExample(load_image(sample.path), *self._boxes(sample))
        scene = random_tile(scene, self.proposals.config.tiles, sampling.foreground_iou, generator)
        scene = random_flip_crop(scene, config, sampling.foreground_iou, generator, flipped=flipped)
        sampled = sample_rois(scene.proposals, scene.boxes, scene.labels, sampling, generator)
        scale = int(torch.randint(len(config.short_sides), (), generator=generator))
        short_side = config.short_sides[scale]
        size = InputConfig(short_side, max(short_side, config.long_side))
        resized = resize(np.ascontiguousarray(scene.pixels), size)
        coloured = color_jitter(resized.pixels, config.photometric, generator)
        image = torch.from_numpy(coloured)
        if self.device.type == "cpu":
            image = self._prepared(image)
        return image, sampled.rois * torch.from_numpy(resized.scale), sampled

    def _prepared(self, image: Tensor) -> Tensor:
        """Returns (1, 3, H, W) float32 of an image (h, w, 3) uint8."""
        return prepare(image.permute(2, 0, 1), self.spec.preprocessing, self.spec.stride)

    def _boxes(self, sample: Sample) -> tuple[Tensor, Tensor, Tensor]:
        """Returns proposals (N, 4), ground-truth boxes (G, 4) and labels (G,).

        Unless `train_on_difficult` is set, difficult objects are left out, and so are their
        proposals, which are not background.
        """
        proposals = torch.from_numpy(self.proposals.proposals_for(sample.path))
        boxes = torch.from_numpy(sample.boxes)
        sampling = self.config.sampling
        difficult = torch.from_numpy(sample.difficult & (not sampling.train_on_difficult))
        if difficult.any():
            useless = of_ignored(proposals, boxes, difficult, sampling.foreground_iou)
            proposals = proposals[~useless]
        labels = torch.from_numpy(sample.labels)
        return proposals, boxes[~difficult], labels[~difficult]

    def set_delta_statistics(self, model: FastRCNN) -> None:
        """Writes mean and deviation of the box targets, (4,) or (K + 1, 4), into the model."""
        loss, foreground_iou = self.config.loss, self.config.sampling.foreground_iou
        if not loss.box_loss_weight:
            return
        if loss.class_statistics:
            images = map(self._boxes, self.samples)
            statistics = class_target_statistics(images, model.num_classes, foreground_iou)
        else:
            pairs = (self._boxes(sample)[:2] for sample in self.samples)
            statistics = target_statistics(pairs, foreground_iou)
        model.delta_mean.copy_(statistics[0])
        model.delta_std.copy_(statistics[1])

    def first(self) -> Batch:
        """Returns the batch of the first step, on the device.

        Raises:
            FrcnnError: an image or its proposals cannot be read.
        """
        return self._moved(self._batch(0))

    def _moved(self, batch: Batch) -> Batch:
        """Returns a batch on the device, its images prepared."""
        if not isinstance(batch, PixelBatch):
            return batch
        moved = batch.to(self.device)
        return Batch(tuple(map(self._prepared, moved.images)), *moved[1:])

    def batches(self, start: int, workers: int) -> Iterator[Batch]:
        """Yields the batches from step `start`, on the device.

        A GPU receives a batch while it computes the step before.

        Args:
            start: the first step.
            workers: number of processes that load ahead; 0 is a thread.

        Raises:
            FrcnnError: a batch cannot be loaded any more.
        """
        side: torch.cuda.Stream | None = None
        if self.device.type == "cuda":
            side = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        steps = range(start, len(self))
        for batch in loaded_ahead(self.__getitem__, steps, workers, pinned=side is not None):
            if isinstance(batch, FrcnnError):
                raise batch
            if side is None:
                yield batch
                continue
            with torch.cuda.stream(side):
                moved = self._moved(batch)
            stream = torch.cuda.current_stream(self.device)
            stream.wait_stream(side)
            for tensor in (*moved.images, *moved.rois, moved.labels, moved.deltas):
                tensor.record_stream(stream)
            yield moved


def loaders_for(device: torch.device, context: DistributedContext) -> int:
    """Returns how many processes load images; 0 for a CPU, whose cores all compute the steps."""
    if device.type == "cpu":
        return 0
    return min(_LOADERS, max(1, all_cores() // context.local_world_size))
