"""Fixture with the figures that are saved."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def saved_figures(monkeypatch):
    """The figures that were saved, in order."""
    saved = []
    save = Figure.savefig

    def save_and_keep(figure, *args, **kwargs):
        saved.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", save_and_keep)
    return saved
