"""Photographs → detections, as a stream."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from frcnn_cli.cache.keys import content_hash
from frcnn_cli.cache.runs import newest_checkpoint
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import DetectConfig, OutputFormat, ProposalConfig
from frcnn_cli.data.images import load_image
from frcnn_cli.detection.dataset import detection_settings
from frcnn_cli.detection.detector import BUNDLED, Detector, Laps
from frcnn_cli.detection.formats.registry import FOLDERS, STDOUT
from frcnn_cli.detection.journal import Journal
from frcnn_cli.detection.prefetch import LookTask, Prepared, prepare_all
from frcnn_cli.errors import ConfigError, DeviceError, FrcnnError
from frcnn_cli.plotting.draw import draw
from frcnn_cli.plotting.save import free_name, save_picture
from frcnn_cli.proposals.service import missing_key
from frcnn_cli.records import DetectedImage
from frcnn_cli.runtime.process_pool import all_cores

DRAWN_SCORE = 0.5
"""Least score of a box that is drawn: pictures are for people, the JSON has the rest."""
_ASKED = 16
"""Photographs whose proposals are looked for in the cache before the work is shared out."""


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
    journal: Journal | None = None,
    workers: int | None = None,
    scheduler: str = "",
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
        journal: what it has is not detected again, and what is detected is noted there.
        workers: processes that decode and search while the network looks; 0: this one does all;
            None: one a core where there is much to search.
        scheduler: address of a Dask scheduler whose workers search instead.
    """
    if draw_to is not None:
        _require_no_photographs(draw_to, paths)
    missing = [path for path in paths if journal is None or str(path) not in journal]
    sizes = detector.sizes(config)
    tasks = [LookTask(path, proposals, cache, sizes) for path in missing]
    pictures: set[str] = set()
    if scheduler:
        workers = 0
    elif workers is None:
        workers = all_cores() if _need_search(tasks) else 0
    with (
        _threads_for(detector.device, workers if len(tasks) > 1 else 0),
        closing(prepare_all(tasks, workers, scheduler)) as prepared,
    ):
        for path in paths:
            name = free_name(path.stem, pictures)
            if journal is not None and str(path) in journal:
                yield journal.read(str(path))
                continue
            ready = next(prepared)
            if isinstance(ready, FrcnnError):
                yield ready
                continue
            picture = None if draw_to is None else draw_to / f"{name}.jpg"
            result = _detected(path, ready, detector, config, picture)
            if journal is not None and isinstance(result, DetectedImage):
                journal.add(result)
            yield result


def _detected(
    path: Path, ready: Prepared, detector: Detector, config: DetectConfig, picture: Path | None
) -> DetectedImage | FrcnnError:
    """Returns what is found in a photograph, drawn into `picture`; or why that failed.

    Raises:
        DataError: the picture cannot be written.
    """
    laps = Laps(detector.device)
    try:
        found = detector.detect_views(ready.views, ready.proposals, ready.size, config, laps)
        image = None if picture is None else load_image(path)
    except FrcnnError as error:
        return error
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        remedy = "lower --scales, close what else uses the GPU, or detect it with --gpus 0"
        return DeviceError("the GPU has no memory for it", remedy=remedy, file=path)
    if picture is not None and image is not None:
        drawn = draw(image, found, detector.info.classes, min_score=DRAWN_SCORE)
        save_picture(drawn, picture)  # a full disk ends the command: the next ones find it full too
    seconds = {**ready.seconds, **laps.by_stage()}
    return DetectedImage(str(path), *ready.size, len(ready.proposals), found, seconds)


def _need_search(tasks: Sequence[LookTask]) -> bool:
    """Returns whether some of a few photographs, spread over all, have no regions in the cache."""
    few = tasks[:: max(1, len(tasks) // _ASKED)]
    return any(missing_key(task.path, task.proposals, task.cache) for task in few)


@contextmanager
def _threads_for(device: torch.device, workers: int) -> Iterator[None]:
    """Leaves half of the cores to the processes that search, which need about as much as we do.

    With more threads than cores, those that have a core wait for those that have none.
    """
    before = torch.get_num_threads()
    if device.type == "cpu" and workers:
        torch.set_num_threads(max(1, before // 2))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def open_journal(
    out: Path,
    kind: OutputFormat,
    settings: Mapping[str, Any],
    classes: Sequence[str],
    *,
    resume: bool,
) -> AbstractContextManager[Journal | None]:
    """Returns the journal of an output; a stream, a device and a folder have none.

    Raises:
        ConfigError: there is none, and it was to be resumed.
    """
    if kind not in FOLDERS and out != STDOUT and (out.is_file() or not out.exists()):
        return Journal(out, settings, classes, resume=resume)
    if resume:
        raise ConfigError(
            "--resume goes on with a file", remedy="leave it out, or name a file with --out"
        )
    return nullcontext()


def journal_settings(
    checkpoint: Path, detector: Detector, proposals: ProposalConfig, config: DetectConfig
) -> dict[str, Any]:
    """Returns all that detections follow from, but for the photographs.

    Raises:
        DataError: the checkpoint cannot be read.
        ProposalError: the engine is not installed.
    """
    settings = detection_settings(content_hash(checkpoint), detector, proposals, config)
    return {**settings, "proposals": dataclasses.asdict(proposals)}


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
