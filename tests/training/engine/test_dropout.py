"""Dropout: the draws of an image are its own."""

from __future__ import annotations

import torch
from torch import nn

from frcnn_cli.training.engine.dropout import RegionDropout


def layers() -> tuple[nn.Sequential, RegionDropout]:
    model = nn.Sequential(nn.Dropout(0.25), nn.Dropout(0.0))
    return model, RegionDropout(model, seed=3)


def test_a_quarter_is_dropped_and_the_mean_is_kept() -> None:
    model, dropout = layers()
    ones = torch.ones(100, 1000)
    model.train()
    with dropout.step(0, [(0, 60), (1, 40)]):
        dropped = model(ones)
    assert set(dropped.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert abs(dropped.mean().item() - 1) < 0.01
    assert torch.equal(model.eval()(ones), ones)


def test_an_image_is_dropped_alike_alone_among_others_and_in_pieces() -> None:
    model, dropout = layers()
    ones = torch.ones(10, 50)
    model.train()
    with dropout.step(4, [(0, 6), (1, 4)]):
        together = model(ones)
        pieces = []
        for rows in (slice(0, 5), slice(5, 10)):
            with dropout.rows(rows):
                pieces.append(model(ones[rows]))
    with dropout.step(4, [(1, 4)]):
        alone = model(ones[6:])
    with dropout.step(5, [(0, 6), (1, 4)]):
        later = model(ones)
    assert torch.equal(torch.cat(pieces), together)
    assert torch.equal(alone, together[6:])
    assert not torch.equal(later, together)
