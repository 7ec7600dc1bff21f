"""`frcnn export`: a detector for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from frcnn_cli.cli import options
from frcnn_cli.cli.options import argument, switch
from frcnn_cli.cli.text import facts, size
from frcnn_cli.config import DetectConfig

EXAMPLES = """[bold]Examples[/]

[cyan]frcnn export efficientnet_lite0-1 model.onnx[/]

[cyan]frcnn export bundled voc.onnx[/]  [dim]the detector of the 20 VOC classes[/]
"""


@options.command(without=("config",))
def export(
    context: options.CommandContext,
    checkpoint: Annotated[Path, argument("CHECKPOINT")],
    file: Annotated[Path, argument("FILE.onnx")],
    *,
    with_nms: Annotated[bool, switch("--with-nms")] = False,
) -> None:
    """Export a detector as ONNX; onnxruntime's result is compared with our own.

    Args:
        checkpoint: The detector: a file, the folder or the name of a run, or bundled, the detector
            shipped with frcnn.
        file: Output file.
        with_nms: Also put threshold and NMS into the file: it returns detections.
    """
    from frcnn_cli.deploy.onnx import export_onnx, require_export
    from frcnn_cli.detection.choice import choose_checkpoint

    require_export(file)
    chosen = choose_checkpoint(checkpoint, context.cache)
    context.terminal.say("Translating the network, which takes up to a minute")
    done = export_onnx(chosen.file, file, DetectConfig() if with_nms else None)
    data = {
        "schema": "frcnn.export/1",
        "file": str(done.file),
        "bytes": done.bytes,
        "checkpoint": chosen.name,
        "score_difference": done.score_difference,
        "box_difference": done.box_difference,
    }
    rows = {
        "detector": chosen.words,
        "against ours": f"scores within {done.score_difference:.1e}, "
        f"boxes within {done.box_difference:.1e} pixels",
    }
    context.terminal.result(data, facts(f"{done.file}, {size(done.bytes)}", rows))
