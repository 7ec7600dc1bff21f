"""`frcnn data` reads the exports of labelling tools right, or reports why it cannot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from frcnn_cli.cache.store import Cache
from frcnn_cli.data.open import open_dataset
from support.commands import frcnn
from support.exports import (
    BOX,
    LABEL,
    Case,
    coco,
    coco_document,
    coco_of,
    picture,
    text,
    voc,
    with_owners,
    xml,
    yolo,
)

YAML = "train: ../train/images\nval: ../valid/images\n{}\nnc: 1\nnames: ['cat']\n"
TRAIN_VALID = ("train/images/a.jpg", "valid/images/b.jpg")
CLASSES = {"classes.txt": "cat\n"}


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


def repeated() -> dict[str, Any]:
    document = coco_document(["p0.jpg", "p1.jpg"])
    document["annotations"].append({**document["annotations"][0], "id": 9})
    return document


def coco_parts(root: Path) -> None:
    for i in range(3):
        picture(root / "images" / f"abc{i}.tiff", 40 * i)
        document = json.dumps(coco_document([f"abc{i}.tiff"]))
        text(root / "annotations" / f"abc{i}.json", document)


def coco_cameras(root: Path) -> None:
    for i, camera in enumerate(("camera1", "camera2")):
        for k in range(2):
            picture(root / camera / f"{k}.jpg", 80 * i + 40 * k)
        document = json.dumps(coco_document(["0.jpg", "1.jpg"]))
        text(root / "annotations" / f"instances_{camera}.json", document)


def in_split_folders(root: Path) -> None:
    for i, split in enumerate(("Train", "valid", "test")):
        picture(root / split / "images" / f"{split}.jpg", 40 * i)
        text(root / split / "annotations" / f"{split}.xml", xml(f"{split}.jpg"))


def coco_in_split_folders(root: Path) -> None:
    for i, split in enumerate(("train", "validation")):
        picture(root / split / "images" / "x.jpg", 40 * i)
        document = json.dumps(coco_document(["x.jpg"]))
        text(root / split / "annotations" / "labels.json", document)


def coco_file(path: str, *files: str) -> Case:
    return lambda root: text(root / path, json.dumps(coco_document(files)))


def encoded(name: str, word: str) -> Case:
    def write(root: Path) -> None:
        picture(root / "p.jpg")
        head = f'<?xml version="1.0" encoding="{name}"?>'
        text(root / "p.xml", (head + xml("p.jpg", word)).encode(name))

    return write


OBJECT = xml("")[len("<annotation><filename></filename>") :]
TWO = {"train": 1, "val": 1, "trainval": 2}
OUTCOMES: dict[str, Outcome] = {
    # Whose object is it?
    "coco-float-image-id": Outcome(with_owners(1, 2, 3.0, 4.0), made=4),
    "coco-text-image-id": Outcome(with_owners("1", "02", "3.0"), made=3),
    "coco-null-image-id": Outcome(
        with_owners(1, None), made=1, left_out=1, notes=("image_id is null", "'p1.jpg' has no obj")
    ),
    "coco-list-image-id": Outcome(
        with_owners(1, [2]), made=1, left_out=1, notes=("name no image",)
    ),
    "coco-one-id-on-two-images": Outcome(
        coco_of(coco_document(["a.jpg", "b.jpg", "c.jpg"], ids=[7, 7, 8])),
        made=1,
        left_out=2,
        notes=("id 7 stands on 2 images: 'a.jpg', 'b.jpg'",),
    ),
    "coco-one-file-twice": Outcome(
        coco_of(coco_document(["a.jpg", "a.jpg", "c.jpg"])), made=2, notes=("listed twice",)
    ),
    "coco-iscrowd-null": Outcome(coco(iscrowd=None), made=2),
    "coco-iscrowd-float": Outcome(coco(iscrowd=0.0), made=2),
    "coco-iscrowd-text": Outcome(coco(iscrowd="0"), made=2),
    "coco-category-float": Outcome(coco(category_id=1.0), made=2),
    "coco-category-string": Outcome(coco(category_id="1"), made=2),
    "coco-one-category-id-twice": Outcome(
        coco_of(
            coco_document(["a.jpg"])
            | {"categories": [{"id": 1, "name": "cat"}, {"id": 1, "name": "dog"}]}
        ),
        left_out=1,
        notes=("category 1, which is 'cat' and 'dog'",),
    ),
    "voc-two-xml-of-one-image": Outcome(
        voc({"a.xml": ("a.jpg", "a.jpg"), "b.xml": ("", "a.jpg"), "c.xml": ("c.jpg", "c.jpg")}),
        made=1,
        left_out=2,
        notes=("a.xml: is of a.jpg, as 'b' is", "b.xml: is of a.jpg, as 'a' is"),
    ),
    "yolo-two-images-of-one-label": Outcome(
        yolo(("images/a.jpg", "images/a.png", "images/b.jpg"), {"labels/classes.txt": "cat"}),
        made=1,
        left_out=2,
        notes=("a.png: shares its label file a.txt",),
    ),
    # Are these pixels? The same box twice.
    "coco-normalised": Outcome(
        coco(bbox=[0.125, 0.17, 0.375, 0.5]), left_out=2, notes=("shares of the sides, not pixels",)
    ),
    "coco-under-a-pixel": Outcome(
        coco(bbox=[20, 20, 0.5, 0.5]), left_out=2, notes=("of less than a pixel",)
    ),
    "voc-normalised": Outcome(
        lambda root: (
            picture(root / "a.jpg"),
            text(root / "a.xml", xml("a.jpg").replace("21<", "0.2<").replace("80<", "0.6<")),
        )[0],
        left_out=1,
        notes=("shares of the sides, not pixels",),
    ),
    "yolo-in-pixels": Outcome(
        both(yolo(["images/a.jpg"], CLASSES), lambda r: text(r / "labels/a.txt", "0 50 50 60 60")),
        left_out=1,
        notes=("in pixels, not in fractions",),
    ),
    "duplicate-boxes": Outcome(coco_of(repeated()), made=2, notes=("used once",)),
    "voc-duplicate-boxes": Outcome(
        lambda root: (
            picture(root / "a.jpg"),
            text(root / "a.xml", xml("a.jpg").replace("</annotation>", OBJECT)),
        )[0],
        made=1,
        notes=("object 2 (cat) has the class and the box of object 1",),
    ),
    "yolo-duplicate-boxes": Outcome(
        both(
            yolo(["images/a.jpg"], CLASSES),
            lambda root: text(root / "labels/a.txt", "0 0.3 0.4 0.3 0.5\n0 0.3 0.4 0.3 0.5\n"),
        ),
        made=1,
        notes=("line 2 (cat) has the class and the box of line 1",),
    ),
    # Which image is it?
    "coco-long-preface": Outcome(
        coco_of({"info": {"d": "x" * 17_000}} | coco_document(["p0.jpg", "p1.jpg"])), made=2
    ),
    "coco-upper-case-files": Outcome(coco(ending="JPG"), made=2),
    "coco-url": Outcome(
        both(
            lambda root: picture(root / "images" / "my cat.jpg"),
            lambda root: text(
                root / "annotations.json",
                json.dumps(coco_document(["https://x.org/data/my%20cat.jpg?sig=1"])),
            ),
        ),
        made=1,
    ),
    "coco-path-of-another-machine": Outcome(
        both(
            lambda root: picture(root / "images" / "day1" / "x.jpg", 1),
            lambda root: picture(root / "images" / "day2" / "x.jpg", 2),
            lambda root: text(
                root / "annotations.json", json.dumps(coco_document([r"C:\me\day2\x.jpg"]))
            ),
        ),
        made=1,
    ),
    "voc-two-endings": Outcome(
        both(
            voc(pairs("a0", "a1", ending="png")),
            lambda root: picture(root / "JPEGImages/a0.jpg", 9, (80, 60)),
        ),
        made=2,
    ),
    "voc-upper-case-xml": Outcome(
        voc({"p0.xml": ("p0.jpg", "p0.jpg"), "p1.XML": ("p1.JPG", "p1.jpg")}), made=2
    ),
    "voc-named-by-filename": Outcome(
        voc({f"p{i}_jpg.xml": (f"p{i}.jpg", f"p{i}.jpg") for i in range(3)}), made=3
    ),
    **{
        f"voc-{name}": Outcome(encoded(name, word), made=1)
        for name, word in {
            "gb2312": "猫",
            "gbk": "貓",
            "shift_jis": "ねこ",
            "big5": "貓",
            "euc-kr": "고양이",
            "iso-8859-2": "kočka",
            "utf-16": "猫",
        }.items()
    },
    "voc-flat-xml-of-images-in-split-folders": Outcome(
        voc(
            {
                f"Annotations/{stem}.xml": (f"JPEGImages/{folder}/{stem}.jpg", f"{stem}.jpg")
                for stem, folder in (("a", "Train"), ("b", "valid"))
            }
        ),
        splits=TWO,
    ),
    "voc-flat-xml-of-images-in-folders": Outcome(
        voc({f"Annotations/{stem}.xml": (f"JPEGImages/{stem}/{stem}.jpg", "") for stem in "ab"}),
        made=2,
    ),
    "voc-xml-twins": Outcome(
        voc({"a.xml": ("a.jpg", "a.jpg"), "a.XML": ("", "a.jpg"), "b.xml": ("b.jpg", "b.jpg")}),
        made=1,
        left_out=1,
        notes=("a.xml: has a twin whose ending is written in another case",),
    ),
    "voc-urls": Outcome(
        voc(
            {
                "Annotations/1.xml": ("JPEGImages/my cat.jpg", "my%20cat.jpg"),
                "Annotations/2.xml": ("JPEGImages/b c.jpg", "https://x.org/b%20c.jpg?sig=1&amp;x"),
            }
        ),
        made=2,
        unsaid="without XML",
    ),
    "coco-urls-only": Outcome(
        both(
            lambda root: picture(root / "train2017" / "a.jpg"),
            lambda root: text(
                root / "annotations" / "lvis_v1_train.json",
                json.dumps(coco_document(["a.jpg"])).replace(
                    '"file_name": "', '"coco_url": "http://images.cocodataset.org/train2017/'
                ),
            ),
        ),
        splits={"train": 1, "trainval": 1},
    ),
    "coco-64-bit-ids": Outcome(
        coco_of(coco_document(["a.jpg", "b.jpg"], ids=[2**60, 2**60 + 1])), made=2
    ),
    # Which folders are the data? Layouts.
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
            lambda root: text(
                root / "labels.json", json.dumps(coco_document(["p0.jpg", "p1.jpg"]))
            ),
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
                    lambda root, s=split: text(
                        root / s / "_annotations.coco.json", json.dumps(coco_document(["x.jpg"]))
                    ),
                )
                for split, shade in (("train", 1), ("valid", 2))
            )
        ),
        splits=TWO,
    ),
    "label-studio-coco": Outcome(
        both(
            lambda root: picture(root / "images" / "x.jpg"),
            lambda root: text(root / "result.json", json.dumps(coco_document([r"images\x.jpg"]))),
        ),
        made=1,
    ),
    "cvat-coco": Outcome(
        both(
            lambda root: picture(root / "images" / "default" / "x.jpg"),
            lambda root: text(
                root / "annotations" / "instances_default.json",
                json.dumps(coco_document(["x.jpg"])),
            ),
        ),
        made=1,
    ),
    # Lists and splits.
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
        lambda root: text(root / "annotations.json", json.dumps(coco_document(["p0.jpg", "b"]))),
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


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_export_is_read_as_it_is_meant_or_refused(tmp_path: Path, name: str) -> None:
    outcome = OUTCOMES[name]
    (tmp_path / "data").mkdir()
    outcome.case(tmp_path / "data")
    done = frcnn(tmp_path, "data", "data", "--json")
    report = json.loads(done.stdout) if done.stdout else {}
    words = " ".join((done.stderr + json.dumps(report, ensure_ascii=False)).split())
    plain = frcnn(tmp_path, "data", "data")
    words += " ".join((plain.stdout + plain.stderr).split())
    assert all(each in words for each in outcome.notes), words
    assert outcome.unsaid not in words
    count = outcome.made if outcome.splits is None else len(report.get("splits", {}))
    if not (outcome.made or outcome.splits or outcome.left_out):
        assert done.returncode == 1, words
        return
    assert done.returncode == (3 if outcome.left_out else 0), words
    assert report["left_out"] == outcome.left_out
    splits = {split: each["photographs"] for split, each in report["splits"].items()}
    if outcome.splits is None:
        assert count == outcome.made == sum(splits[each] for each in ("trainval", "test"))
    else:
        assert splits == outcome.splits
    assert report["objects"] == report["photographs"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["voc-cvat-default", "coco-one-json-per-image", "coco-cameras"])
def test_unsplit_data_can_be_split_trained_on_and_scored(tmp_path: Path, name: str) -> None:
    OUTCOMES[name].case(tmp_path / "data")
    made = frcnn(tmp_path, "data", "data", "--make-split", "val", "--json")
    assert made.returncode == 0, made.stderr
    counts = json.loads(made.stdout)["splits"]
    parts = [counts[split]["photographs"] for split in ("train", "val", "test")]
    assert min(parts) > 0
    assert sum(parts) == OUTCOMES[name].made
    dry = frcnn(tmp_path, "train", "data", "--split", "train", "--dry-run", "--iterations", "1")
    assert dry.returncode == 0, dry.stderr
    assert "is not split into train, val and test: made trainval" in " ".join(dry.stderr.split())
    dataset = open_dataset(tmp_path / "data", Cache(tmp_path / ".frcnn"))
    for split in ("val", "test"):
        images = [
            {
                "file": str(dataset.record(image_id).path),
                "width": 160,
                "height": 120,
                "detections": [{"label": "cat", "category_id": 1, "score": 0.9, "box": BOX}],
            }
            for image_id in dataset.split(split)
        ]
        text(
            tmp_path / "boxes.json",
            json.dumps({"schema": "frcnn.detections/1", "images": images}),
        )
        words = ("eval", "data", "--split", split, "--detections", "boxes.json", "--json")
        scored = frcnn(tmp_path, *words)
        assert json.loads(scored.stdout)["map"] == 1, scored.stderr
