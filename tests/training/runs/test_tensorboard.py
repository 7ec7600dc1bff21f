"""The metrics of a run, read by TensorBoard."""

from __future__ import annotations

from pathlib import Path

import pytest

from frcnn_cli.training.engine.report import StepReport
from frcnn_cli.training.runs.tensorboard import FOLDER, Board

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def report(step: int, loss: float) -> StepReport:
    return StepReport(step, loss, loss, 0.0, foreground=4, rois=16, lr=0.1, seconds=1.0, waiting=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_that_goes_on_replaces_the_steps_that_were_lost(tmp_path: Path) -> None:
    board = Board(tmp_path, 0)
    for step in (1, 2, 3):
        board.stepped(report(step, 1.0 / step))
    board.evaluated(2, 0.5)
    board.close()
    again = Board(tmp_path, 2)  # killed at step 3; the checkpoint was of step 2
    again.stepped(report(3, 9.0))
    again.close()
    again.finished(3, "val", 0.25)
    read = event_accumulator.EventAccumulator(str(tmp_path / FOLDER)).Reload()
    losses = {event.step: event.value for event in read.Scalars("loss/total")}
    assert losses == {1: 1.0, 2: 0.5, 3: 9.0}
    assert [(event.step, event.value) for event in read.Scalars("mAP")] == [(2, 0.5)]
    assert [(event.step, event.value) for event in read.Scalars("final mAP/val")] == [(3, 0.25)]
    assert read.Scalars("rois/foreground")[0].value == 0.25
