"""Detected images for people to look at."""

from __future__ import annotations

from collections.abc import Callable

from frcnn_cli.data.images import Pixels
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.records import DetectedImage

Show = Callable[[ImageInput, DetectedImage, Pixels], None]
"""Shows an image, what was found in it, and its pixels (H, W, 3) uint8."""
