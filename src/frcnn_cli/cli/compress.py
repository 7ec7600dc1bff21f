"""`frcnn compress`: a smaller and faster detector by truncated SVD."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, option
from frcnn_cli.cli.text import count, duration, facts
from frcnn_cli.config import DetectConfig, EvalConfig
from frcnn_cli.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from frcnn_cli.deploy.compress import Compression, RankTrial

_PAPER = "VGG16 on VOC07 with ranks 1024 and 256: mAP 66.9 → 66.6, 0.32 s → 0.22 s (Table 4, K40)"

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn compress best.safetensors --fc6 1024 --fc7 256[/]  [dim]the paper's ranks[/]

[cyan]frcnn compress best.safetensors --max-drop 0.3[/]  [dim]the lowest ranks that keep the mAP[/]
"""


@options.command(needs=dict.fromkeys(("data", "split", "images", "gpus"), ("max_drop",)))
def compress(
    context: options.CommandContext,
    checkpoint: Annotated[Path, argument("CHECKPOINT")],
    *,
    fc6: Annotated[int | None, option("R", default="whole", min=1)] = None,
    fc7: Annotated[int | None, option("R", default="whole", min=1)] = None,
    max_drop: Annotated[float | None, option("POINTS", min=0)] = None,
    out: Annotated[Path | None, option("FILE", default="NAME.svd.safetensors")] = None,
    data: Annotated[Path, option("DATA")] = Path(),
    split: Annotated[str, option("NAME")] = "val",
    images: Annotated[int, option("N", min=0)] = 0,
    gpus: options.Gpus = None,
) -> None:
    """Compress fc6 and fc7 of a detector by truncated SVD (Fast R-CNN §3.1).

    Args:
        checkpoint: The detector: a file, the folder or the name of a run, or bundled.
        fc6: Rank of fc6.
        fc7: Rank of fc7.
        max_drop: Find the smallest ranks that lose at most this many points of mAP (per
            cent).
        out: The compressed detector.
        data: Data set to score on, with --max-drop.
        split: Split to score on, with --max-drop.
        images: Number of images to score on; 0: all.
    """
    from frcnn_cli.cache.checkpoints import read_tiles
    from frcnn_cli.deploy.compress import Validation, compress_to, compress_within
    from frcnn_cli.detection.choice import choose_checkpoint, proposals_for
    from frcnn_cli.runtime.device import pick_device

    if max_drop is not None and (fc6 or fc7):
        raise ConfigError(
            "--max-drop finds the ranks that --fc6 and --fc7 set", remedy="use one or the other"
        )
    cache = context.cache
    chosen = choose_checkpoint(checkpoint, cache)
    target = out or Path(chosen.name).with_suffix(".svd.safetensors")
    if max_drop is None:
        result = compress_to(chosen.file, target, {"fc6": fc6 or 0, "fc7": fc7 or 0})
    else:
        settings = context.settings()
        detect = settings.apply(DetectConfig())
        validation = Validation(
            data,
            split,
            images,
            cache,
            proposals_for(read_tiles(chosen.file), settings),
            replace(detect, score_threshold=EvalConfig.score_threshold),
            pick_device(gpus),
        )
        with context.terminal.progress() as report:
            result = compress_within(
                chosen.file, target, max_drop / 100, validation=validation, progress=report
            )
    context.terminal.result(_as_data(result, target), _as_summary(result, target, split))
    context.terminal.finish(list(result.failures), succeeded=result.images)


def _as_data(result: Compression, target: Path) -> dict[str, Any]:
    def trial(each: RankTrial) -> dict[str, Any]:
        return {
            "ranks": dict(each.ranks),
            "parameters": each.parameters,
            "map": None if math.isnan(each.mean_ap) else each.mean_ap,
            "seconds": None if math.isnan(each.seconds) else each.seconds,
        }

    return {
        "schema": "frcnn.compress/1",
        "before": trial(result.before),
        "after": trial(result.after),
        "trials": [trial(each) for each in result.trials],
        "photographs": result.images,
        "out": str(target),
        "failures": [str(failure) for failure in result.failures],
    }


def _as_summary(result: Compression, target: Path, split: str) -> RenderableType:
    before, after = result.before, result.after
    scored = not math.isnan(after.mean_ap)
    ranks = [f"{name} {rank or 'whole'}" for name, rank in after.ranks.items()]
    on = f" on {count(result.images, 'image')} of {split}"
    tried = "; ".join(
        f"{each.ranks['fc6'] or 'whole'}, {each.ranks['fc7'] or 'whole'}: {100 * each.mean_ap:.1f}"
        for each in result.trials
    )
    return facts(
        f"{before.parameters / after.parameters:.1f} times fewer weights in fc6 and fc7",
        {
            "ranks": ranks,
            "weights": f"{before.parameters:,} → {after.parameters:,}",
            "mAP": f"{100 * before.mean_ap:.1f} → {100 * after.mean_ap:.1f}{on}" if scored else "",
            "network": f"{duration(before.seconds)} → {duration(after.seconds)} per image"
            if scored
            else "",
            "tried": tried,
            "the paper": _PAPER,
            "detector": str(target),
        },
    )
