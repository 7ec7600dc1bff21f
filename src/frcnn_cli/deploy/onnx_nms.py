"""Post-processing as nodes of an ONNX graph: threshold and NMS per class (§3.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from frcnn_cli.config import DetectConfig

OUTPUTS = ("detection_boxes", "detection_scores", "detection_labels")


def add_nms(model: Any, classes: int, longest_side: int, config: DetectConfig) -> None:
    """Puts NMS behind the outputs `scores` and `boxes`, and makes `OUTPUTS` the only ones.

    They are (N, 4), (N,) and (N,) int64 in 1..K, by decreasing score, without box voting: what
    `postprocess` returns.

    Args:
        model: ONNX model, which is changed.
        classes: K, without background.
        longest_side: of the images, in pixels.
        config: thresholds and the maximum number of detections.
    """
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415  optional

    graph = model.graph

    def constant(values: npt.ArrayLike, kind: type = np.int64) -> str:
        name = f"nms_constant_{len(graph.initializer)}"
        graph.initializer.append(numpy_helper.from_array(np.asarray(values, kind), name))
        return name

    def node(kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"nms_{len(graph.node)}"
        graph.node.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def part(name: str, first: int, last: int, axis: int) -> str:
        return node("Slice", name, constant([first]), constant([last]), constant([axis]))

    scores, boxes = part("scores", 1, classes + 1, 1), part("boxes", 1, classes + 1, 1)
    # Boxes less than a pixel wide or high are dropped: they score 0.
    sides = node("Sub", part(boxes, 2, 4, 2), part(boxes, 0, 2, 2))
    side = node("ReduceMin", sides, constant([2]), keepdims=0)  # (R, K)
    solid = node("GreaterOrEqual", side, constant(1, np.float32))
    scores = node("Mul", scores, node("Cast", solid, to=TensorProto.FLOAT))
    # NMS of ONNX takes no boxes per class: those of each class are moved to a place of their own.
    apart = np.arange(classes)[None, :, None] * (longest_side + 1)
    moved = node("Add", boxes, constant(apart, np.float32))
    selected = node(
        "NonMaxSuppression",
        node("Reshape", moved, constant([1, -1, 4])),
        node("Reshape", scores, constant([1, 1, -1])),
        constant([config.max_per_image or np.iinfo(np.int32).max]),
        constant([config.nms_iou], np.float32),
        constant([config.score_threshold], np.float32),
    )  # (N, 3): 0, 0 and which of the R · K boxes
    places = node("Reshape", part(selected, 2, 3, 1), constant([-1]))
    node("Gather", node("Reshape", boxes, constant([-1, 4])), places, output=OUTPUTS[0])
    node("Gather", node("Reshape", scores, constant([-1])), places, output=OUTPUTS[1])
    node("Add", node("Mod", places, constant([classes])), constant([1]), output=OUTPUTS[2])
    del graph.output[:]
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT64)
    shapes: tuple[list[str | int], ...] = (["N", 4], ["N"], ["N"])
    for name, kind, shape in zip(OUTPUTS, kinds, shapes, strict=True):
        graph.output.append(helper.make_tensor_value_info(name, kind, shape))
