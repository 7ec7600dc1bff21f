"""Photographs → detections, as a stream."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from frcnn_cli.cache.runs import newest_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.errors import ConfigError, FrcnnError
from frcnn_cli.pipelines.detector import BUNDLED, Detector
from frcnn_cli.pipelines.pictures import free_name, save_picture
from frcnn_cli.pipelines.proposals import proposals_for
from frcnn_cli.records import DetectedImage
from frcnn_cli.viz.draw import draw

DRAWN_SCORE = 0.5
"""Least score of a box that is drawn: pictures are for people, the JSON has the rest."""


def choose_checkpoint(named: Path | None, cache: Cache) -> Path:
    """Returns the checkpoint that is named, else the cache's newest best, else the bundled one.

    The name "bundled" is the bundled one's.
    """
    if named == Path("bundled"):
        return BUNDLED
    return named or newest_checkpoint(cache) or BUNDLED


def detect_photographs(
    paths: Sequence[Path],
    detector: Detector,
    cache: Cache,
    *,
    proposals: ProposalConfig,
    config: DetectConfig,
    draw_to: Path | None = None,
) -> Iterator[DetectedImage | FrcnnError]:
    """Yields, for each photograph in order, what was found or why it failed.

    Raises:
        ConfigError: annotated pictures would be written over photographs.

    Args:
        paths: photographs.
        detector: the network.
        cache: where proposals are kept.
        proposals: how regions are searched.
        config: thresholds.
        draw_to: a folder for annotated pictures, named as the photographs; of two photographs of
            the same name the second's picture ends in "-2".
    """
    if draw_to is not None:
        _require_no_photographs(draw_to, paths)
    pictures: set[str] = set()
    for path in paths:
        try:
            start = time.perf_counter()
            image = load_image(path)
            decoded = time.perf_counter()
            boxes = proposals_for(path, proposals, cache, image)
            searched = time.perf_counter()
            found, seconds = detector.detect(image, boxes, config)
        except FrcnnError as error:
            yield error
            continue
        if draw_to is not None:
            name = free_name(path.stem, pictures)
            picture = draw(image, found, detector.info.classes, min_score=DRAWN_SCORE)
            save_picture(picture, draw_to / f"{name}.jpg")
        height, width = image.shape[:2]
        timings = {"decode": decoded - start, "proposals": searched - decoded, **seconds}
        yield DetectedImage(str(path), width, height, len(boxes), found, timings)


def _require_no_photographs(folder: Path, paths: Sequence[Path]) -> None:
    """Makes sure that no picture is written over a photograph.

    Raises:
        ConfigError: `folder` holds one of the photographs.
    """
    for path in paths:
        if path.resolve().parent == folder.resolve():
            raise ConfigError(
                f"holds {path.name}, a photograph to detect in",
                remedy="name another folder with --draw",
                file=folder,
            )
