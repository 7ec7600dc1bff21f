"""Writes in the background: in order, and none after one that failed."""

from __future__ import annotations

import threading

import pytest

from frcnn_cli.training.runs.background import BackgroundWriter


def test_calls_run_in_order_beside_the_caller() -> None:
    writer, called, may_go_on = BackgroundWriter(), [], threading.Event()

    def first() -> None:
        assert may_go_on.wait(60)
        called.append(1)

    writer.submit(first)
    writer.submit(called.append, 2)
    writer.check()
    assert called == []
    may_go_on.set()
    writer.close()
    assert called == [1, 2]


def test_a_failure_is_raised_once_and_stops_what_follows() -> None:
    writer, called = BackgroundWriter(), []
    writer.submit([].remove, 1)
    writer.submit(called.append, 1)
    with pytest.raises(ValueError, match="remove"):
        writer.wait()
    assert called == []
    writer.close()
