"""Turns the options of `frcnn detect` into settings, given its files and the detector."""

from __future__ import annotations

import sys
from pathlib import Path

from frcnn_cli.cli.detect.summary import STDOUT
from frcnn_cli.config import DetectConfig, OutputFormat, override
from frcnn_cli.errors import ConfigError, some_of

_DRAWN = 0.5
"""Score threshold of a drawn box, of a detector without one of its own."""


def format_of(chosen: OutputFormat | None, files: list[Path]) -> OutputFormat:
    """Returns the format of the output: one with times, where there is a video.

    Raises:
        ConfigError: the chosen one has none.
    """
    from frcnn_cli.data.video import is_video
    from frcnn_cli.detection.formats.registry import WITH_TIMES

    videos = [file for file in files if is_video(file)]
    if videos and chosen not in (None, *WITH_TIMES):
        raise ConfigError(
            f"is a video, and the format {chosen} has no times",
            remedy=f"use --format {' or '.join(WITH_TIMES)}",
            file=videos[0],
        )
    return chosen or ("jsonl" if videos else "frcnn")


def target_of(out: Path | None, output_format: OutputFormat) -> Path:
    """Returns the output, which can be written.

    Raises:
        ConfigError: it cannot.
    """
    from frcnn_cli.detection.formats.registry import FORMATS, check_target

    if out == STDOUT and sys.stdout is None:  # of a process that was started without one
        raise ConfigError("standard output is closed", remedy="name a file with --out")
    target = out or FORMATS[output_format].target
    check_target(output_format, target)
    return target


def with_thresholds(
    config: DetectConfig,
    score: str | None,
    drawn: float | None,
    *,
    confident: float | None,
    is_set: bool,
    is_start: bool,
) -> tuple[DetectConfig, float]:
    """Returns the settings with their score threshold, and that of drawn boxes.

    Args:
        config: the settings without --score.
        score: value of --score.
        drawn: value of --draw-score.
        confident: the detector's own threshold, if it has one.
        is_set: whether the settings file has a threshold.
        is_start: whether what is written is a start for annotators, who want confident boxes.

    Raises:
        ConfigError: `score` is neither a number nor "best", or is "best" of a detector without.
    """
    if score == "best" and confident is None:
        raise ConfigError(
            "--score is best, but the detector has no threshold of its own, or does not vote",
            remedy="give a number, or find one with frcnn eval DATA --split val --calibrate FILE",
        )
    if score == "best" or (score is None and is_start and not is_set):
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
    return config, drawn


def labels_of(names: str | None, classes: tuple[str, ...]) -> list[int]:
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
