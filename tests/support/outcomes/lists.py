"""Which images are in which split?"""

from __future__ import annotations

from support.exports import picture, text, voc, yolo
from support.outcomes.common import CLASSES, TRAIN_VALID, TWO, YAML, Outcome, both, pairs

OUTCOMES: dict[str, Outcome] = {
    "voc-cvat-default": Outcome(
        voc(
            pairs(*(f"Shot ({i})" for i in range(5)), ending="png"),
            {"default": "".join(f"Shot ({i})\n" for i in range(5))},
        ),
        made=5,
        notes=("is not split into train, val and test: made trainval (4) and test (1)",),
    ),
    "voc-cvat-capitals": Outcome(
        voc(pairs("a", "b", "c"), {"Train": "a\nb\n", "Validation": "c\n"}),
        splits={"train": 2, "val": 1, "trainval": 3},
    ),
    "voc-names-with-numbers": Outcome(
        both(
            voc(
                pairs(*(f"scan {i}" for i in range(2, 7))),
                {"trainval": "scan 1\nscan 2\nscan 3\nscan 4\n", "test": "scan 5\nscan 6\n"},
            ),
            lambda root: picture(root / "JPEGImages" / "scan 1.jpg", 200),
        ),
        splits={"trainval": 3, "test": 2},
        left_out=1,
        notes=("scan 1.xml", "has 1 image without XML"),
    ),
    "voc-lists-of-pairs": Outcome(
        both(
            voc(pairs("a", "b")),
            lambda root: text(root / "train.txt", "./JPEGImages/a.jpg ./Annotations/a.xml\n"),
            lambda root: text(root / "val.txt", "JPEGImages/b.jpg 21,21,80,80,0\n"),
        ),
        splits=TWO,
    ),
    "voc-lists-beside": Outcome(
        both(
            voc({f"{stem}.xml": (f"{stem}.jpg", f"{stem}.jpg") for stem in "abc"}),
            lambda root: text(root / "train.txt", "a\n"),
            lambda root: text(root / "val.txt", "b.jpg\n"),
        ),
        splits=TWO,
        notes=("has 1 XML file that no list names; it is not used",),
    ),
    "yolo-lists-without-yaml": Outcome(
        yolo(
            ["images/a.jpg", "images/b.jpg"],
            CLASSES | {"train.txt": "images/a.jpg\n", "valid.txt": "data/images/b.jpg\n"},
        ),
        splits=TWO,
    ),
    "voc-unlisted": Outcome(
        voc(pairs("a", "b", "c"), {"train": "a\n", "val": "b\n", "test": "\n"}),
        splits=TWO,
        notes=("has 1 XML file that no list", "test.txt: is empty"),
    ),
    "yolo-test-missing": Outcome(
        yolo(TRAIN_VALID, {"data.yaml": YAML.format("test: ../test/images")}),
        splits=TWO,
        notes=("'../test/images', which is not in",),
    ),
    "yolo-test-null": Outcome(
        yolo(TRAIN_VALID, {"data.yaml": YAML.format("test: null")}), splits=TWO
    ),
    "yolo-test-empty": Outcome(
        yolo(TRAIN_VALID, {"data.yaml": YAML.format("test: ../test/images")}, ["test/images"]),
        splits=TWO,
        notes=("holds no images",),
    ),
    "yolo-prefixed": Outcome(
        yolo(
            TRAIN_VALID,
            {"data.yaml": "train: My-1/train/images\nval: /x/My-1/valid/images\nnames: [cat]\n"},
        ),
        splits=TWO,
    ),
    "yolo-capital-keys": Outcome(
        yolo(
            TRAIN_VALID,
            {"data.yaml": "Train: train/images\nValidation: valid/images\nnames: [c]"},
        ),
        splits=TWO,
    ),
    "yolo-cvat-list": Outcome(
        yolo(
            ["images/train/a.jpg"],
            {
                "train.txt": "data/images/train/a.jpg\n",
                "data.yaml": "names: {0: cat}\npath: .\ntrain: train.txt\n",
            },
        ),
        splits={"train": 1, "trainval": 1},
    ),
    "yolo-list-of-nothing": Outcome(
        yolo([], {"train.txt": "data/a.jpg\n", "data.yaml": "names: [cat]\ntrain: train.txt\n"}),
        notes=("lists 1 images, and none of them, such as 'data/a.jpg'",),
    ),
    "yolo-darknet": Outcome(
        yolo(
            ["obj_train_data/a.jpg"],
            {
                "obj.data": "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\n",
                "obj.names": "cat\n",
                "train.txt": "data/obj_train_data/a.jpg\n",
            },
        ),
        splits={"train": 1, "trainval": 1},
    ),
    "yolo-without-yaml": Outcome(yolo(["images/p0.jpg", "images/p1.jpg"], CLASSES), made=2),
    "yolo-labelimg": Outcome(yolo(["p0.jpg", "p1.jpg"], CLASSES), made=2),
    "yolo-absolute-path": Outcome(
        lambda root: yolo(
            ["images/train/a.jpg", "images/val/b.jpg"],
            {"data.yaml": f"path: {root}\ntrain: images/train\nval: images/val\nnames: [cat]\n"},
        )(root),
        splits=TWO,
    ),
}
