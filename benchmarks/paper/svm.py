"""Table 8: a linear SVM per class on fc7 features, trained as R-CNN's, in place of the softmax.

As in R-CNN: ground-truth boxes are the positives, proposals that overlap none of their class by 0.3
the negatives, mined for hard ones in one pass; C is 0.001, positives count twice, features have a
mean norm of 20, and liblinear stops at its own tolerance, 0.1 (scikit-learn's is 0.0001). Boxes are
those of the network's regression.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from sklearn.svm import LinearSVC

from frcnn_cli import boxes as box_ops
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, ProposalConfig
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.decoding import load_archive
from frcnn_cli.detection.detector import LoadedDetector
from frcnn_cli.detection.formats.registry import open_writer
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.prefetch import ImageTask, Prepared, prepare
from frcnn_cli.model.suppression import suppress
from frcnn_cli.proposals.service import proposals_for
from frcnn_cli.records import DetectedImage, Detections, Sample

Matrix = npt.NDArray[np.float32]
_NORM = 20.0
_IMAGES_PER_ROUND = 200
_FIRST = 5000
"""Negatives of the first round, drawn at random."""
_HARD, _EASY = -1.0001, -1.2
"""Margins from which a negative joins the pool, and below which it leaves it."""
_LOWEST_MARGIN = -1.0
"""Of a detection; those below would be the tail of the curve."""


class Features:
    """fc7 of every proposal and object of the images of a data set, cached in files.

    Args:
        folder: of the files.
        detector: the network.
        cache: holds the proposals.
    """

    def __init__(self, folder: Path, detector: LoadedDetector, cache: Cache) -> None:
        self._folder, self.detector, self._cache = folder, detector, cache
        folder.mkdir(parents=True, exist_ok=True)

    def of(self, sample: Sample) -> dict[str, npt.NDArray[np.float32]]:
        """Returns "vectors" (R + G, D), "boxes" (R + G, 4), "deltas" (R + G, K + 1, 4) and "size".

        The G objects of the image come last.
        """
        path = self._folder / f"{sample.image_id}.npz"
        if not path.exists():
            self._save(sample, path)
        return {name: array.astype(np.float32) for name, array in load_archive(path).items()}

    def _save(self, sample: Sample, path: Path) -> None:
        proposals = proposals_for(sample.path, ProposalConfig(), self._cache)
        boxes = np.concatenate((proposals, sample.boxes))
        sizes = self.detector.sizes(DetectConfig())
        ready = prepare(
            ImageTask(ImageInput(sample.path, proposals=boxes), ProposalConfig(), None, sizes)
        )
        if not isinstance(ready, Prepared):
            raise ready
        seen: list[torch.Tensor] = []
        handle = self.detector.model.class_score.register_forward_pre_hook(
            lambda _, given: seen.append(given[0])
        )
        output = self.detector.forward([ready.views])
        handle.remove()
        model = self.detector.model
        deltas = (output.deltas - model.delta_mean) / model.delta_std  # of one size, for float16
        half = {"vectors": seen[0], "deltas": deltas}
        arrays = {name: tensor.half().numpy() for name, tensor in half.items()}
        part = path.with_suffix(".part")
        with part.open("wb") as stream:
            np.savez(stream, boxes=boxes, size=np.array(ready.size), **arrays)
        part.rename(path)


def train(features: Features, samples: list[Sample], classes: int) -> tuple[Matrix, Matrix]:
    """Returns weights (K, D), for features as they are, and offsets (K,).

    Args:
        features: of the network.
        samples: the images to train on.
        classes: K.
    """
    objects, norms = [], []
    for sample in samples:
        vectors = features.of(sample)["vectors"]
        objects.append(vectors[len(vectors) - len(sample.boxes) :])
        norms.append(np.linalg.norm(vectors, axis=1).mean())
    scale = np.float32(_NORM / np.mean(norms))
    labels = np.concatenate([np.where(each.difficult, 0, each.labels) for each in samples])
    vectors = scale * np.concatenate(objects)
    miners = [_Miner(vectors[labels == label]) for label in range(1, classes + 1)]
    for start in range(0, len(samples), _IMAGES_PER_ROUND):
        known = [(each, features.of(each)) for each in samples[start : start + _IMAGES_PER_ROUND]]
        for label, miner in enumerate(miners, start=1):
            miner.mine(scale * np.concatenate([_negatives(*each, label) for each in known]))
    weights = np.stack([scale * miner.weights for miner in miners])
    return weights, np.array([miner.offset for miner in miners], np.float32)


def _negatives(sample: Sample, known: dict[str, Matrix], label: int) -> Matrix:
    """Returns the vectors of the proposals that overlap no object of a class by 0.3."""
    count = len(known["boxes"]) - len(sample.boxes)
    overlaps = box_ops.iou(known["boxes"][:count], sample.boxes[sample.labels == label])
    return known["vectors"][:count][overlaps.max(axis=1, initial=0) < 0.3]


class _Miner:
    """The SVM of a class, and the negatives that are hard for it.

    Args:
        positives: (P, D).
    """

    def __init__(self, positives: Matrix) -> None:
        self._positives, self._pool = positives, positives[:0]
        self.weights, self.offset = np.zeros(positives.shape[1], np.float32), -np.inf

    def mine(self, negatives: Matrix) -> None:
        """Adds those of the negatives (N, D) that are hard, fits, and drops those now easy."""
        if not len(self._positives):
            return
        if len(self._pool):
            hard = negatives[self._margins(negatives) > _HARD]
        else:
            hard = np.random.default_rng(0).permutation(negatives)[:_FIRST]
        self._pool = np.concatenate((self._pool, hard))
        svm = LinearSVC(
            C=0.001,
            loss="hinge",
            intercept_scaling=10,
            class_weight={1: 2.0},
            tol=0.1,
            random_state=0,
        )
        labels = [1] * len(self._positives) + [0] * len(self._pool)
        svm.fit(np.concatenate((self._positives, self._pool)), labels)
        self.weights, self.offset = svm.coef_[0].astype(np.float32), float(svm.intercept_[0])
        self._pool = self._pool[self._margins(self._pool) > _EASY]

    def _margins(self, vectors: Matrix) -> Matrix:
        return vectors @ self.weights + np.float32(self.offset)


def detect(
    features: Features,
    dataset: Dataset,
    samples: list[Sample],
    svms: tuple[Matrix, Matrix],
    out: Path,
) -> None:
    """Writes what the SVMs detect in `samples` as a file of detections.

    Args:
        features: of the network.
        dataset: names the classes.
        samples: the images.
        svms: weights (K, D) and offsets (K,).
        out: the file.
    """
    model, config = features.detector.model, DetectConfig()
    context = WriterContext(dataset.classes, checkpoint="SVMs on fc7")
    with open_writer("frcnn", out, context) as writer:
        for sample in samples:
            known = features.of(sample)
            count = len(known["boxes"]) - len(sample.boxes)
            margins = known["vectors"][:count] @ svms[0].T + svms[1]  # (R, K)
            roi, label = np.nonzero(margins > _LOWEST_MARGIN)
            deltas = torch.from_numpy(known["deltas"][roi, label + 1])
            deltas = deltas * model.delta_std + model.delta_mean
            boxes = box_ops.decode(torch.from_numpy(known["boxes"][roi]), deltas)
            width, height = (int(side) for side in known["size"])
            clipped = box_ops.clip(boxes, width, height).numpy()
            solid = ((clipped[:, 2:] - clipped[:, :2]) >= 1).all(axis=1)
            scores = 1 / (1 + np.exp(-margins[roi, label]))  # the order is what counts
            every = Detections(clipped, scores, label + 1).take(solid)
            kept = suppress(
                every.boxes, every.scores, every.labels, config.nms_iou, config.max_per_image
            )
            writer.write(DetectedImage(str(sample.path), width, height, count, every.take(kept)))
