"""Number of processes that a command line asks for."""

from __future__ import annotations

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from frcnn_cli.errors import ConfigError, DeviceError, TrainingError
from frcnn_cli.training.distributed import launch
from frcnn_cli.training.distributed.watch import LOST


@pytest.mark.parametrize(
    ("gpus", "processes", "wanted"), [(None, None, 1), (0, None, 1), (1, None, 1), (0, 3, 3)]
)
def test_processes(gpus: int | None, processes: int | None, wanted: int) -> None:
    assert launch.processes_wanted(gpus, processes) == wanted


def test_what_cannot_be() -> None:
    with pytest.raises(ConfigError, match="--processes 2 is for the CPU"):
        launch.processes_wanted(None, 2)
    with pytest.raises(DeviceError, match="--gpus 64, but torch sees"):
        launch.processes_wanted(64, None)


def failure(rank: int, code: int, when: int) -> ProcessFailure:
    failed = ProcessFailure(rank, 1, code, "")
    failed.timestamp = when
    return failed


def test_the_first_to_die_is_named_and_not_those_that_lost_it() -> None:
    lost, killed = failure(0, LOST, 1), failure(1, -9, 2)
    with pytest.raises(TrainingError, match="process 1 of 2 ended with SIGKILL"):
        launch.code_of({0: lost, 1: killed}, 2)
    assert launch.code_of({0: failure(0, 3, 1)}, 2) == 3  # images were left out
    assert launch.code_of({0: lost, 1: failure(1, 1, 2)}, 2) == 1  # process 1 printed why
    with pytest.raises(TrainingError, match="one of the 2 processes did not answer"):
        launch.code_of({0: lost, 1: failure(1, LOST, 2)}, 2)
