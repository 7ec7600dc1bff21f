"""Fast R-CNN object detection (Girshick, ICCV 2015), from the command line and from Python.

    from frcnn_cli import Detector

    for found in Detector.load().detect("photo.jpg"):
        print(found.name, found.score, found.box)

Importing the package imports nothing heavy: torch is loaded when a name below is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from frcnn_cli._version import __version__

if TYPE_CHECKING:
    from frcnn_cli.api import (
        DetectedObject,
        Detector,
        FrcnnError,
        ImageDetections,
        TrainEvents,
        find_proposals,
        train,
    )

__all__ = [
    "DetectedObject",
    "Detector",
    "FrcnnError",
    "ImageDetections",
    "TrainEvents",
    "__version__",
    "find_proposals",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("frcnn_cli.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
