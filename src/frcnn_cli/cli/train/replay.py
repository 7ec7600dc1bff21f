"""Text and JSON of `frcnn train --replay`."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from frcnn_cli.cli.text import facts
from frcnn_cli.training.replay import Replayed

_MOST = 12
"""Findings shown; what follows the first few is their consequence."""


def replay_shown(replayed: Replayed) -> RenderableType:
    """Returns the losses of each image, and the tensors that are not finite."""
    summary = facts(
        f"Step {replayed.step}, whose {replayed.what} was not finite",
        {
            name: [f"{term} {value:.4g}" for term, value in losses.items()]
            for name, losses in replayed.losses.items()
        },
        complete=not replayed.findings,
    )
    if not replayed.findings:
        return Group(summary, Text("  Every tensor is finite now: another device, or precision?"))
    shown = Table(
        *(Column(heading, overflow="fold") for heading in ("image", "tensor")),
        *(Column(heading, justify="right") for heading in ("nan", "inf", "of", "largest")),
        box=None,
        padding=(0, 1),
        header_style="dim",
    )
    for each in replayed.findings[:_MOST]:
        counts = (f"{number:,}" for number in (each.nan, each.inf, each.size))
        shown.add_row(each.image_id, each.tensor, *counts, f"{each.largest:.3g}")
    more = len(replayed.findings) - _MOST
    first = replayed.findings[0]
    of = f" of image {first.image_id}" if first.image_id else ""
    lines = [
        *([Text(f"    … and {more} more", "dim")] if more > 0 else []),
        Text(f"  It begins with: {first.tensor}{of}"),
    ]
    return Group(summary, Padding(shown, (0, 0, 0, 2), expand=False), *lines)


def replay_json(replayed: Replayed) -> dict[str, Any]:
    """Returns the same as one JSON object; a loss that is not finite is null."""
    return {
        "schema": "frcnn.replay/1",
        "step": replayed.step,
        "term": replayed.term,
        "losses": {
            name: {term: value if math.isfinite(value) else None for term, value in each.items()}
            for name, each in replayed.losses.items()
        },
        "findings": [
            {
                "photograph": each.image_id,
                "tensor": each.tensor,
                "nan": each.nan,
                "inf": each.inf,
                "size": each.size,
                "largest": each.largest,
            }
            for each in replayed.findings
        ],
    }
