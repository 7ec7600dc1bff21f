"""What is not used, and what is no data set."""

from __future__ import annotations

import json

from support.exports import LABEL, coco, coco_document, picture, text, voc, yolo
from support.outcomes.common import CLASSES, TRAIN_VALID, TWO, YAML, Outcome, both, coco_file

OUTCOMES: dict[str, Outcome] = {
    # What is not used.
    "coco-unlisted-images": Outcome(
        both(coco(), lambda root: picture(root / "images" / "day2" / "x.jpg")),
        made=2,
        notes=("has 1 image that no COCO JSON lists, such as 'images/day2/x.jpg'; it is not used",),
    ),
    "yolo-unnamed-images": Outcome(
        yolo(
            (*TRAIN_VALID, "test/images/c.jpg", "test/images/d.jpg"),
            {"data.yaml": YAML.format("test: null")},
        ),
        splits=TWO,
        notes=("has 2 images that data.yaml does not name, such as 'test/images/c.jpg'",),
    ),
    "yolo-label-without-image": Outcome(
        yolo(
            ["images/a.jpg"],
            CLASSES | {"labels/b.txt": LABEL, "labels/empty.txt": "", "README.txt": "1 2 3 4"},
        ),
        made=1,
        notes=("has 1 label file without an image, such as 'labels/b.txt'; it is not used",),
    ),
    "yolo-labels-in-other-case": Outcome(
        both(
            yolo(["images/a.JPG"], CLASSES | {"Labels/B.TXT": LABEL}),
            lambda root: picture(root / "images" / "b.jpg", 7),
        ),
        made=2,
    ),
    "coco-two-files-of-one-split": Outcome(
        both(
            lambda root: picture(root / "train" / "a.jpg"),
            coco_file("train/_annotations.coco.json", "a.jpg"),
            coco_file("train/backup.coco.json", "a.jpg"),
        ),
        splits={"train": 0, "trainval": 0},
        left_out=2,
        notes=("image 'train/a.jpg' is in data/train/backup.coco.json too: merge the files",),
    ),
    "coco-a-file-for-each-class": Outcome(
        both(
            lambda root: picture(root / "images" / "a.jpg"),
            lambda root: picture(root / "images" / "b.jpg", 9),
            coco_file("cats.json", "a.jpg", "b.jpg"),
            coco_file("dogs.json", "a.jpg", "b.jpg"),
        ),
        made=4,
        notes=("has 2 images that several JSON files list, such as 'images/a.jpg'; merge",),
    ),
    "yolo-val-is-train": Outcome(
        yolo(["images/a.jpg"], {"data.yaml": "train: images\nval: images\nnames: [cat]"}),
        splits={"train": 1, "trainval": 1},
        notes=("names the images of `train` as `val` too; there is no val",),
    ),
    "yolo-repeated-class": Outcome(
        yolo(["images/a.jpg"], {"data.yaml": "train: images\nnames: [cat, dog, cat]"}),
        splits={"train": 1, "trainval": 1},
        notes=("names 'cat' as the classes 0 and 2; they are taken for one",),
    ),
    # No data set found.
    "coco-without-annotations": Outcome(
        both(
            lambda root: picture(root / "a.jpg"),
            lambda root: text(
                root / "image_info.json",
                json.dumps({**coco_document(["a.jpg"]), "annotations": None}),
            ),
        ),
        notes=("image_info.json: has no `annotations`",),
    ),
    "yolo-blank-class": Outcome(
        yolo(["images/a.jpg"], {"classes.txt": "bird\n\ncat\n"}),
        notes=("classes.txt: line 2 is blank, but lines are the numbers of classes",),
    ),
    "labelme": Outcome(
        both(
            lambda root: picture(root / "a.jpg"),
            lambda root: text(root / "a.json", '{"shapes": [], "imagePath": "a.jpg"}'),
        ),
        notes=("holds no data set, but 1 .json file, 1 image",),
    ),
    "coco-files-missing": Outcome(
        coco_file("annotations.json", "p0.jpg", "b"),
        notes=("annotations.json: lists 2 images", "such as 'p0.jpg'", "put them into"),
    ),
    "coco-damaged": Outcome(
        both(
            lambda root: picture(root / "a.jpg"),
            lambda root: text(root / "labels.json", '{"images": ['),
        ),
        notes=("labels.json: is not COCO JSON",),
    ),
    "voc-xml-without-images": Outcome(
        voc({"gone.xml": ("", "gone.jpg")}), notes=("gone.xml: has no image", "'gone.jpg'")
    ),
}
