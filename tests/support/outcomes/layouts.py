"""Which folders are the data?"""

from __future__ import annotations

from pathlib import Path

from support.exports import picture, text, voc, xml, yolo
from support.outcomes.common import CLASSES, TWO, Outcome, both, coco_file, pairs


def coco_parts(root: Path) -> None:
    for i in range(3):
        picture(root / "images" / f"abc{i}.tiff", 40 * i)
        coco_file(f"annotations/abc{i}.json", f"abc{i}.tiff")(root)


def coco_cameras(root: Path) -> None:
    for i, camera in enumerate(("camera1", "camera2")):
        for k in range(2):
            picture(root / camera / f"{k}.jpg", 80 * i + 40 * k)
        coco_file(f"annotations/instances_{camera}.json", "0.jpg", "1.jpg")(root)


def in_split_folders(root: Path) -> None:
    for i, split in enumerate(("Train", "valid", "test")):
        picture(root / split / "images" / f"{split}.jpg", 40 * i)
        text(root / split / "annotations" / f"{split}.xml", xml(f"{split}.jpg"))


def coco_in_split_folders(root: Path) -> None:
    for i, split in enumerate(("train", "validation")):
        picture(root / split / "images" / "x.jpg", 40 * i)
        coco_file(f"{split}/annotations/labels.json", "x.jpg")(root)


OUTCOMES: dict[str, Outcome] = {
    "coco-names-with-splits": Outcome(
        both(
            lambda root: picture(root / "images" / "a.jpg"),
            lambda root: picture(root / "images" / "b.jpg", 9),
            coco_file("train_labels.JSON", "a.jpg"),
            coco_file("my-Val2.json", "b.jpg"),
        ),
        splits=TWO,
    ),
    "voc-in-split-folders": Outcome(
        in_split_folders, splits={"train": 1, "val": 1, "trainval": 2, "test": 1}
    ),
    "voc-split-folders-below": Outcome(voc(pairs("train/a", "val/b")), splits=TWO),
    "coco-in-split-folders": Outcome(coco_in_split_folders, splits=TWO),
    "yolo-in-split-folders": Outcome(
        yolo(("train/images/a.jpg", "valid/images/b.jpg"), CLASSES), splits=TWO
    ),
    "two-kinds-of-data": Outcome(
        both(
            voc(pairs("a", "b")),
            yolo(["images/c.jpg"], {"data.yaml": "train: images\nnames: [cat]\n"}),
        ),
        made=2,
        notes=(
            "YOLO data.yaml in data looks like data too, with 1 image, but VOC year folder data is",
        ),
    ),
    "fiftyone-coco": Outcome(
        both(
            lambda root: picture(root / "data" / "p0.jpg", 1),
            lambda root: picture(root / "data" / "p1.jpg", 2),
            coco_file("labels.json", "p0.jpg", "p1.jpg"),
        ),
        made=2,
    ),
    "fiftyone-voc": Outcome(voc({"labels/p0.xml": ("data/p0.jpg", "p0.jpg")}), made=1),
    "fiftyone-yolo": Outcome(
        yolo(
            ["images/train/a.jpg", "images/val/b.jpg"],
            {"dataset.yaml": "names: {0: cat}\ntrain: ./images/train/\nval: ./images/val/"},
        ),
        splits=TWO,
    ),
    "label-studio-voc": Outcome(voc({"Annotations/a.xml": ("images/a.jpg", "a")}), made=1),
    "oxford-pets": Outcome(
        both(
            voc(
                {f"annotations/xmls/p_{i}.xml": (f"images/p_{i}.jpg", f"p_{i}.jpg") for i in "123"}
            ),
            lambda root: picture(root / "images/p_4.jpg", 200),
            lambda root: text(root / "annotations/list.txt", "#Image CLASS-ID\np_1 1 1 1\n"),
            lambda root: text(root / "annotations/trainval.txt", "p_1 1 1 1\np_3 25 1 2\n"),
            lambda root: text(root / "annotations/test.txt", "p_4 1 1 1\n"),
        ),
        splits={"trainval": 2},
        notes=(
            "has 1 XML file that no list names",
            "test.txt: lists no annotated image",
            "has 1 image without XML, such as 'p_4.jpg'",
        ),
    ),
    "labelimg-voc": Outcome(
        voc({f"{stem}.xml": (f"{stem}.JPG", rf"C:\Users\me\{stem}.JPG") for stem in "ab"}), made=2
    ),
    "voc-sub-folders": Outcome(voc(pairs("day0/x", "day1/x")), made=2),
    "coco-one-json-per-image": Outcome(coco_parts, made=3),
    "coco-cameras": Outcome(coco_cameras, made=4, notes=("made trainval (3) and test (1)",)),
    "vott-voc": Outcome(
        voc(
            pairs("a", "b"), {"cat_train": "a.jpg 1\nb.jpg -1\n", "cat_val": "b.jpg 1\na.jpg -1\n"}
        ),
        made=2,
    ),
    "roboflow-voc": Outcome(
        voc({"train/a.xml": ("train/a.jpg", "a.jpg"), "valid/b.xml": ("valid/b.jpg", "b.jpg")}),
        splits=TWO,
    ),
    "roboflow-coco": Outcome(
        both(
            *(
                both(
                    lambda root, s=split, k=shade: picture(root / s / "x.jpg", k),
                    coco_file(f"{split}/_annotations.coco.json", "x.jpg"),
                )
                for split, shade in (("train", 1), ("valid", 2))
            )
        ),
        splits=TWO,
    ),
    "label-studio-coco": Outcome(
        both(
            lambda root: picture(root / "images" / "x.jpg"),
            coco_file("result.json", r"images\x.jpg"),
        ),
        made=1,
    ),
    "cvat-coco": Outcome(
        both(
            lambda root: picture(root / "images" / "default" / "x.jpg"),
            coco_file("annotations/instances_default.json", "x.jpg"),
        ),
        made=1,
    ),
}
