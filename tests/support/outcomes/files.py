"""Which image is meant?"""

from __future__ import annotations

import json
from pathlib import Path

from support.exports import Case, coco, coco_document, coco_of, picture, text, voc, xml
from support.outcomes.common import TWO, Outcome, both, coco_file, pairs


def encoded(name: str, word: str) -> Case:
    def write(root: Path) -> None:
        picture(root / "p.jpg")
        head = f'<?xml version="1.0" encoding="{name}"?>'
        text(root / "p.xml", (head + xml("p.jpg", word)).encode(name))

    return write


OUTCOMES: dict[str, Outcome] = {
    "coco-long-preface": Outcome(
        coco_of({"info": {"d": "x" * 17_000}} | coco_document(["p0.jpg", "p1.jpg"])), made=2
    ),
    "coco-upper-case-files": Outcome(coco(ending="JPG"), made=2),
    "coco-url": Outcome(
        both(
            lambda root: picture(root / "images" / "my cat.jpg"),
            coco_file("annotations.json", "https://x.org/data/my%20cat.jpg?sig=1"),
        ),
        made=1,
    ),
    "coco-path-of-another-machine": Outcome(
        both(
            lambda root: picture(root / "images" / "day1" / "x.jpg", 1),
            lambda root: picture(root / "images" / "day2" / "x.jpg", 2),
            coco_file("annotations.json", r"C:\me\day2\x.jpg"),
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
}
