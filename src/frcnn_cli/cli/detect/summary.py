"""The summary that `frcnn detect` prints at its end."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import RenderableType

from frcnn_cli.cli.text import count, duration, facts
from frcnn_cli.errors import FrcnnError

if TYPE_CHECKING:
    from frcnn_cli.detection.choice import ChosenCheckpoint
    from frcnn_cli.records import DetectedImage

STDOUT = Path("-")
_NAMED = 8
"""Classes that the closing lines name."""


class Totals:
    """The results so far, for the closing lines; memory stays flat.

    Args:
        classes: names of the labels 1..K.
        score: score threshold of a detection.
        confident: of a confident one; None of a detector that is not calibrated.
    """

    def __init__(self, classes: tuple[str, ...], score: float, confident: float | None) -> None:
        self._classes = classes
        self.score, self.confident_score = score, confident
        self.images = self.confident = 0
        self.labels: Counter[str] = Counter()
        self.failures: list[FrcnnError] = []
        self._seconds: Counter[str] = Counter()

    def add(self, image: DetectedImage | FrcnnError) -> None:
        """Counts the result of an image."""
        if isinstance(image, FrcnnError):
            self.failures.append(image)
            return
        self.images += 1
        found = image.detections
        self.labels.update(self._classes[int(label) - 1] for label in found.labels)
        if self.confident_score is not None:
            self.confident += int((found.scores >= self.confident_score).sum())
        self._seconds.update(image.seconds)

    def seconds(self) -> dict[str, float]:
        """Returns the mean time of each step per image."""
        return {step: total / max(self.images, 1) for step, total in self._seconds.items()}


class Written(NamedTuple):
    """Files and folders that `frcnn detect` wrote.

    Attributes:
        out: the file or folder of boxes.
        draw: folder of drawn images; None: none.
        page: folder of the page; None: none.
    """

    out: Path
    draw: Path | None
    page: Path | None


def as_data(tally: Totals, checkpoint: ChosenCheckpoint, written: Written) -> dict[str, Any]:
    """Returns the result as JSON values.

    Args:
        tally: of all images.
        checkpoint: the detector.
        written: where the results are.
    """
    return {
        "schema": "frcnn.detect/1",
        "photographs": tally.images + len(tally.failures),
        "detections": sum(tally.labels.values()),
        "confident": None if tally.confident_score is None else tally.confident,
        "confident_score": tally.confident_score,
        "labels": dict(tally.labels.most_common()),
        "seconds": {step: round(value, 4) for step, value in tally.seconds().items()},
        "checkpoint": checkpoint.name,
        "out": str(written.out),
        "drawn": None if written.draw is None else str(written.draw),
        "page": None if written.page is None else str(written.page / "index.html"),
        "failures": [str(failure) for failure in tally.failures],
    }


def as_summary(tally: Totals, checkpoint: ChosenCheckpoint, written: Written) -> RenderableType:
    """Returns the closing lines for people.

    Args:
        tally: of all images.
        checkpoint: the detector.
        written: where the results are.
    """
    found = tally.labels.most_common(_NAMED)
    named = [f"{name} {number:,}" for name, number in found]
    total = sum(tally.labels.values())
    detections = count(total, "detection")
    if tally.confident_score is not None:
        detections = f"{count(tally.confident, 'confident detection')}"
        if tally.score < tally.confident_score:
            detections += f", {total:,} in all from {tally.score:g},"
    return facts(
        f"{detections} in {count(tally.images, 'image')}",
        {
            "found": [*named, "…"] if len(tally.labels) > _NAMED else named,
            "boxes": "" if written.out == STDOUT else str(written.out),
            "pictures": "" if written.draw is None else str(written.draw),
            "page": "" if written.page is None else str(written.page / "index.html"),
            "detector": checkpoint.words,
            "time": [f"{step} {duration(s)}" for step, s in tally.seconds().items()],
            "failed": f"{len(tally.failures):,}, listed below" if tally.failures else "",
        },
        complete=not tally.failures,
    )
