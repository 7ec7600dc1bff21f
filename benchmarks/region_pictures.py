"""Draws the two pictures of docs/explanation/selective-search.md.

    python benchmarks/region_pictures.py path/to/voc07-mini

`images/region-levels.jpg` shows the steps of the search on one image: its segments, and the regions
that are left after some of the merges. `images/recall-by-number.png` shows the recall of the first
boxes in our order and in OpenCV's, on images of trainval.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.evaluation.metrics.recall import measure_overlaps
from frcnn_cli.plotting.curves import DOTS_PER_INCH, as_rgb, style
from frcnn_cli.plotting.palette import BLUE, GREY, INK, RED
from frcnn_cli.proposals import opencv
from frcnn_cli.proposals.fast.grouping.regions import describe_regions
from frcnn_cli.proposals.fast.grouping.similarity import absorb, compare_pairs, working_copy
from frcnn_cli.proposals.fast.numba_kernels.memory import Memory
from frcnn_cli.proposals.fast.presets import PLANS, convert
from frcnn_cli.proposals.fast.segmentation import segment
from frcnn_cli.proposals.fast.segmentation.edges import build_graph
from frcnn_cli.proposals.fast.textures import encode_pixels
from frcnn_cli.proposals.search import search
from frcnn_cli.records import FloatArray, Sample

IMAGES = Path(__file__).parent.parent / "docs" / "images"
IMAGE = "000395"
LEFT = (25, 8, 4)
"""Regions that are left in the later panels."""
IMAGE_FILES = 100
MARKS = (10, 20, 50, 100, 200, 500, 1000, 2000)
Pixels = npt.NDArray[np.uint8]


def draw_levels(image: Pixels, path: Path) -> None:
    """Draws the image, its segments, and what is left of them after merges, side by side."""
    panels: list[tuple[str, Pixels]] = [("image", image)]
    for left, labels in levels(image):
        title = f"{left} segments" if len(panels) == 1 else f"{left} regions"
        panels.append((title, paint(image, labels)))
    figure, axes = plt.subplots(1, len(panels), figsize=(11, 1.9), layout="constrained")
    for axis, (title, picture) in zip(axes, panels, strict=True):
        axis.imshow(picture)
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    figure.savefig(path, dpi=130, pil_kwargs={"quality": 85})


def levels(image: Pixels) -> list[tuple[int, npt.NDArray[np.int32]]]:
    """Groups as the search does, one merge after another, and returns some of the label maps."""
    plan = PLANS["fast"]
    converted = convert(image, plan.spaces[0])
    graph = build_graph(converted, plan.sigma, Memory())
    (found,) = segment(graph, plan.scales[:1])
    weights = plan.strategies[0]
    regions = working_copy(describe_regions(*found, encode_pixels(converted)), weights)
    labels, left = found.labels.copy(), found.segments
    shown = [(left, labels.copy())]
    while left > LEFT[-1]:
        kept, gone = regions.pairs[np.argmax(compare_pairs(regions, weights))]
        absorb(regions, weights, kept, gone)
        labels[labels == gone] = kept
        pairs = np.sort(np.where(regions.pairs == gone, kept, regions.pairs), axis=1)
        pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
        regions = regions._replace(pairs=np.ascontiguousarray(pairs))
        left -= 1
        if left in LEFT:
            shown.append((left, labels.copy()))
    return shown


def paint(image: Pixels, labels: npt.NDArray[np.int32]) -> Pixels:
    """Returns each region in its mean colour, with white borders."""
    flat = labels.ravel()
    counts = np.maximum(np.bincount(flat), 1)
    means = [np.bincount(flat, image[..., c].ravel()) / counts for c in range(3)]
    painted = np.stack(means, axis=1)[labels].astype(np.uint8)
    border = np.zeros(labels.shape, bool)
    border[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    border[1:] |= labels[1:] != labels[:-1]
    painted[cv2.dilate(border.astype(np.uint8), np.ones((2, 2))) > 0] = 255
    return painted


def draw_recall(samples: list[Sample], path: Path) -> None:
    """Draws the recall of the first boxes in our order, in OpenCV's own, and at random."""
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    panel = figure.subplots()
    style(panel, "Recall by number of proposals", "recall at IoU 0.5")
    numbers = np.unique(np.geomspace(10, 2000, 60).astype(int))
    for (name, found), colour in zip(ordered(samples).items(), (BLUE, RED, GREY), strict=True):
        ranks = measure_overlaps(zip(samples, found, strict=True)).rank
        shares = [float(((ranks > 0) & (ranks <= number)).mean()) for number in numbers]
        panel.plot(numbers, shares, color=as_rgb(colour), linewidth=2, label=name)
        print(name, {n: round(float(((ranks > 0) & (ranks <= n)).mean()), 3) for n in MARKS})
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(list(MARKS)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.set_xlabel("proposals used", color=as_rgb(INK))
    panel.set_ylim(0, 1)
    panel.legend(frameon=False, loc="lower right")
    figure.savefig(path, dpi=DOTS_PER_INCH)


def ordered(samples: list[Sample]) -> Mapping[str, list[FloatArray]]:
    """Returns the boxes of each image in three orders."""
    lists: dict[str, list[FloatArray]] = {"ours": [], "OpenCV's": [], "random": []}
    for number, sample in enumerate(samples):
        image = load_image(sample.path)
        ours = search(image, ProposalConfig(max_side=0))
        theirs = opencv.search(image, "fast").astype(np.float32)
        lists["ours"].append(ours)
        lists["OpenCV's"].append(theirs)
        lists["random"].append(np.random.default_rng(number).permutation(ours))
    return lists


def main() -> None:
    """Draws both."""
    data = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        samples, _ = read_split(open_dataset(data, Cache(Path(folder))), "trainval")
    (example,) = (sample for sample in samples if sample.path.stem == IMAGE)
    draw_levels(load_image(example.path), IMAGES / "region-levels.jpg")
    step = len(samples) // IMAGE_FILES
    draw_recall(samples[::step][:IMAGE_FILES], IMAGES / "recall-by-number.png")


if __name__ == "__main__":
    main()
