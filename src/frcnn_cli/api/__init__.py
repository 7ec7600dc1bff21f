"""The commands as Python functions. The names of `__all__` can be imported from `frcnn_cli`.

Nothing is printed and nothing is written, unless a cache is named; `train` writes its run into one.
What goes wrong is a `FrcnnError` whose text names file, value and remedy.
"""

from frcnn_cli.api.detector import Detector
from frcnn_cli.api.image import DetectedObject, ImageDetections
from frcnn_cli.api.regions import find_proposals
from frcnn_cli.api.training import train
from frcnn_cli.errors import FrcnnError
from frcnn_cli.training.runs.events import TrainEvents

__all__ = [
    "DetectedObject",
    "Detector",
    "FrcnnError",
    "ImageDetections",
    "TrainEvents",
    "find_proposals",
    "train",
]
