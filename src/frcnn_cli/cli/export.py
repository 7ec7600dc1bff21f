"""`frcnn export`: a detector for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, switch
from frcnn_cli.cli.text import facts, size
from frcnn_cli.config import DetectConfig

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn export .frcnn/runs/efficientnet_lite0-1/best.safetensors model.onnx[/]

[cyan]frcnn export bundled voc.onnx[/]  [dim]the detector of the 20 VOC classes[/]
"""


@options.command(without=("cache_dir", "config"))
def export(
    context: options.CommandContext,
    checkpoint: Annotated[Path, argument("CHECKPOINT")],
    file: Annotated[Path, argument("FILE.onnx")],
    *,
    with_nms: Annotated[bool, switch("--with-nms")] = False,
) -> None:
    """Export a detector as ONNX; onnxruntime's result is compared with our own.

    Args:
        checkpoint: The detector; bundled: the detector shipped with frcnn.
        file: Output file.
        with_nms: Also put threshold and NMS into the file: it returns detections.
    """
    with context.terminal() as terminal:
        from frcnn_cli.cache.store import Cache
        from frcnn_cli.deploy.onnx import export_onnx
        from frcnn_cli.detection.detector import choose_checkpoint

        chosen = choose_checkpoint(checkpoint, Cache(options.DEFAULT_CACHE))
        terminal.say("Translating the network, which takes up to a minute")
        done = export_onnx(chosen, file, DetectConfig() if with_nms else None)
        data = {
            "schema": "frcnn.export/1",
            "file": str(done.file),
            "bytes": done.bytes,
            "checkpoint": str(chosen),
            "score_difference": done.score_difference,
            "box_difference": done.box_difference,
        }
        rows = {
            "detector": str(chosen),
            "against ours": f"scores within {done.score_difference:.1e}, "
            f"boxes within {done.box_difference:.1e} pixels",
        }
        terminal.result(data, facts(f"{done.file}, {size(done.bytes)}", rows))
