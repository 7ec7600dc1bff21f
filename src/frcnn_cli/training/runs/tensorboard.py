"""A run's metrics for TensorBoard, beside `metrics.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frcnn_cli.errors import importing
from frcnn_cli.training.engine.report import StepReport

FOLDER = "tensorboard"


def summary_writer() -> Any:
    """Returns TensorBoard's writer.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    remedy = "pip install 'frcnn-cli[tensorboard]'"
    with importing("--tensorboard needs TensorBoard", remedy=remedy):
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  an extra
    return SummaryWriter


class Board:
    """Writes a run's steps and evaluations into its folder `tensorboard`.

    Args:
        run: the run's folder.
        step: the step to resume from; later entries are discarded.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self, run: Path, step: int) -> None:
        self._writer = summary_writer()(run / FOLDER, purge_step=step + 1)

    def stepped(self, report: StepReport) -> None:
        """Writes a step."""
        values = {
            "loss/total": report.loss,
            "loss/classes": report.classification,
            "loss/boxes": report.box,
            "rois/foreground": report.foreground / max(report.rois, 1),
            "schedule/lr": report.lr,
            "time/step": report.seconds,
            "time/waiting": report.waiting,
        }
        for name, value in values.items():
            self._writer.add_scalar(name, value, report.step)

    def evaluated(self, step: int, score: float) -> None:
        """Writes an evaluation."""
        self._writer.add_scalar("mAP", score, step)

    def finished(self, step: int, split: str, score: float) -> None:
        """Writes the final score on a split, after `close` too.

        Args:
            step: the last one.
            split: the images that were scored.
            score: the mAP in 0..1.
        """
        self._writer.add_scalar(f"final mAP/{split}", score, step)
        self._writer.close()

    def close(self) -> None:
        """Closes the files."""
        self._writer.close()
