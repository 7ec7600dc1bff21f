"""What comes out of an export, and what several exports are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from support.exports import Case, coco_document, text

YAML = "train: ../train/images\nval: ../valid/images\n{}\nnc: 1\nnames: ['cat']\n"
TRAIN_VALID = ("train/images/a.jpg", "valid/images/b.jpg")
CLASSES = {"classes.txt": "cat\n"}
TWO = {"train": 1, "val": 1, "trainval": 2}


@dataclass(frozen=True)
class Outcome:
    """A case and what comes out of it.

    Attributes:
        case: writes the data.
        splits: the usable images of each split; None: `made` images are split by frcnn.
        notes: words in what is noted, or in the error where nothing can be used.
        made: images where there are no splits, each with one object.
        left_out: images that are not used.
        unsaid: words that are in nothing of it.
    """

    case: Case
    splits: dict[str, int] | None = None
    notes: tuple[str, ...] = ()
    made: int = 0
    left_out: int = 0
    unsaid: str = "\0"


def pairs(*stems: str, ending: str = "jpg") -> dict[str, tuple[str, str]]:
    return {
        f"Annotations/{stem}.xml": (f"JPEGImages/{stem}.{ending}", f"{Path(stem).name}.{ending}")
        for stem in stems
    }


def both(*cases: Case) -> Case:
    def write(root: Path) -> None:
        for case in cases:
            case(root)

    return write


def coco_file(path: str, *files: str) -> Case:
    return lambda root: text(root / path, json.dumps(coco_document(files)))
