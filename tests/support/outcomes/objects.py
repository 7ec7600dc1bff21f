"""Whose object is it, and in what units is its box?"""

from __future__ import annotations

from typing import Any

from support.exports import coco, coco_document, coco_of, picture, text, voc, with_owners, xml, yolo
from support.outcomes.common import CLASSES, Outcome, both


def repeated() -> dict[str, Any]:
    document = coco_document(["p0.jpg", "p1.jpg"])
    document["annotations"].append({**document["annotations"][0], "id": 9})
    return document


OBJECT = xml("")[len("<annotation><filename></filename>") :]


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
}
