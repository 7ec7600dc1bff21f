"""Processes that cannot be connected, because something else has their port."""

from __future__ import annotations

import socket

import pytest
import torch

from frcnn_cli.errors import TrainingError
from frcnn_cli.training.distributed.context import connected


def test_a_port_of_another_program_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        launcher = {
            "RANK": "0",
            "WORLD_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(other.getsockname()[1]),
        }
        for name, value in launcher.items():
            monkeypatch.setenv(name, value)
        with (
            pytest.raises(TrainingError, match="the processes cannot be connected") as caught,
            connected(torch.device("cpu")),
        ):
            raise AssertionError
    assert "--master-port" in caught.value.remedy
