"""Turns the options of `frcnn detect` into settings, given its files and the detector."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cli.detect.summary import STDOUT
from frcnn_cli.config import DetectConfig, OutputFormat, Settings, override
from frcnn_cli.data.video import is_video
from frcnn_cli.detection.detector import LoadedDetector
from frcnn_cli.detection.formats.registry import (
    FOLDERS,
    FORMATS,
    WITH_TIMES,
    check_names,
    check_target,
)
from frcnn_cli.errors import ConfigError, some_of

_DRAWN = 0.5
"""Score threshold of a drawn box, of a detector without one of its own."""


def format_of(chosen: OutputFormat | None, files: list[Path]) -> OutputFormat:
    """Returns the format of the output: one with times, where there is a video.

    Raises:
        ConfigError: the chosen one has none.
    """
    videos = [file for file in files if is_video(file)]
    if videos and chosen not in (None, *WITH_TIMES):
        raise ConfigError(
            f"is a video, and the format {chosen} has no times",
            remedy=f"use --format {' or '.join(WITH_TIMES)}",
            file=videos[0],
        )
    return chosen or ("jsonl" if videos else "frcnn")


def target_of(out: Path | None, output_format: OutputFormat, files: Sequence[Path]) -> Path:
    """Returns the output, which can be written and keeps the files apart.

    Raises:
        FrcnnError: it cannot, or does not.
    """
    if out == STDOUT and sys.stdout is None:  # of a process that was started without one
        raise ConfigError("standard output is closed", remedy="name a file with --out")
    target = out or FORMATS[output_format].target
    check_target(output_format, target)
    check_names(output_format, files)
    return target


@dataclass(frozen=True)
class Selection:
    """The detections that are wanted.

    Attributes:
        config: their thresholds.
        draw_score: score threshold of a drawn one.
        labels: of the wanted classes; none: all.
    """

    config: DetectConfig
    draw_score: float
    labels: Sequence[int]

    def before_labels(self) -> DetectConfig:
        """Returns the thresholds with which the wanted classes are selected from all.

        The best of these are wanted, and not those among the best of all.
        """
        return override(self.config, {"max_per_image": 0}) if self.labels else self.config


def select(
    config: DetectConfig,
    settings: Settings,
    detector: LoadedDetector,
    *,
    score: str | None,
    drawn: float | None,
    classes: str | None,
    output_format: OutputFormat,
) -> Selection:
    """Returns the detections that are wanted.

    Args:
        config: the settings without --score.
        settings: of the settings file, which may have a threshold.
        detector: it may have a threshold of its own.
        score: value of --score.
        drawn: value of --draw-score.
        classes: value of --classes.
        output_format: a folder is a start for annotators, who want confident boxes.

    Raises:
        ConfigError: `score` is neither a number nor "best", or is "best" of a detector without; or
            the detector does not know a class.
    """
    confident = detector.confident_score(config)
    is_set = "score_threshold" in settings.tables.get("detect", {})
    if score == "best" and confident is None:
        raise ConfigError(
            "--score is best, but the detector has no threshold of its own, or does not vote",
            remedy="give a number, or find one with frcnn eval DATA --split val --calibrate FILE",
        )
    if score == "best" or (score is None and output_format in FOLDERS and not is_set):
        value = confident
    else:
        try:
            value = None if score is None else float(score)
        except ValueError as error:
            remedy = "use a number from 0 to 1, or best"
            raise ConfigError(f"--score is {score!r}", remedy=remedy) from error
    config = override(config, {"score_threshold": value})
    if drawn is None:
        drawn = config.score_threshold if score or is_set else confident or _DRAWN
    return Selection(config, drawn, _labels_of(classes, detector.info.classes))


def _labels_of(names: str | None, classes: tuple[str, ...]) -> list[int]:
    """Returns the labels of "dog,cat", the value of --classes; [] where it is not given.

    Raises:
        ConfigError: the detector does not know one.
    """
    wanted = [] if names is None else [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in classes:
            raise ConfigError(
                f"the detector does not know the class {name!r} of --classes",
                remedy=f"it knows {some_of(classes)}",
            )
    return [classes.index(name) + 1 for name in wanted]
