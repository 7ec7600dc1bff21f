"""Every format, converted into every other, keeps the annotations."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from frcnn_cli.cache.store import Cache
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.formats.voc_xml import write_annotation
from frcnn_cli.data.inspect.convert import convert
from frcnn_cli.data.inspect.preview import draw_sample
from frcnn_cli.data.inspect.summary import summarize, to_json
from frcnn_cli.data.inspect.writers import Format
from frcnn_cli.data.open import make_split, open_dataset
from frcnn_cli.data.splits import shuffle
from frcnn_cli.errors import ConfigError
from frcnn_cli.evaluation.run import EvaluationJob, evaluate_file
from support.datasets import coco, pair, write_image, yolo

FORMATS: tuple[Format, ...] = ("voc", "coco", "yolo")
SIZE = (120, 90)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, ...]:
    """A box inside an image of `SIZE`, at least a pixel and an eighth wide and high."""
    x1 = draw(st.floats(0, SIZE[0] - 2, width=32))
    y1 = draw(st.floats(0, SIZE[1] - 2, width=32))
    width = draw(st.floats(1.125, SIZE[0] - x1))
    height = draw(st.floats(1.125, SIZE[1] - y1))
    return x1, y1, x1 + width, y1 + height


names = st.sampled_from(
    [
        *("dog", "traffic light", "no", "Ünïcode 写真", "a: {b}", "0", "<tag>&", "N/A", ".."),
        *("../x", "[red]a[/]", "C:\\x", "-1", "~", "'", "#x", "con", "%2F", "\u200f", "a,b;c"),
    ]
)
objects = st.lists(st.tuples(names, boxes(), st.booleans()), max_size=4)


def objects_by_image(
    dataset: Dataset, split: str
) -> dict[str, list[tuple[str, list[float], bool]]]:
    """The annotations of a split, by the images' names."""
    found = {}
    for image_id in dataset.split(split):
        record = dataset.record(image_id)
        flags = record.difficult.tolist()
        found[record.path.stem] = list(zip(record.names, record.boxes.tolist(), flags, strict=True))
    return found


def made(root: Path, images: list[list[tuple[str, tuple[float, ...], bool]]]) -> Dataset:
    """VOC data with `images` in train, but the last, which is in test."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for i, found in enumerate(images):
        write_image(root / "JPEGImages" / f"photo {i}.png", SIZE)
        write_annotation(
            root / "Annotations" / f"photo {i}.xml",
            filename=f"photo {i}.png",
            size=SIZE,
            names=[name for name, _, _ in found],
            boxes=[box for _, box, _ in found],
            difficult=[flag for _, _, flag in found],
        )
    last = len(images) - 1
    (root / "ImageSets/Main/train.txt").write_text("".join(f"photo {i}\n" for i in range(last)))
    (root / "ImageSets/Main/test.txt").write_text(f"photo {last}\n")
    return find_dataset(root)


@settings(max_examples=8)
@given(st.lists(objects, min_size=2, max_size=3), st.permutations(FORMATS))
def test_a_chain_of_conversions_keeps_every_box(
    images: list[list[tuple[str, tuple[float, ...], bool]]], chain: list[Format]
) -> None:
    images[0].append(("dog", (1.0, 2.0, 30.0, 40.0), False))
    with tempfile.TemporaryDirectory() as folder:
        original = made(Path(folder) / "0", images)
        dataset, flags_kept = original, True
        for step, to in enumerate(chain, 1):
            out = Path(folder) / str(step)
            run = convert(dataset, out, to, link=step == 2)
            assert run.failures == ()
            assert run.images == len(images)
            dataset = find_dataset(out)
            flags_kept = flags_kept and to != "yolo"
            assert set(dataset.classes) == set(original.classes)
            for split in ("train", "test", "trainval"):
                before, after = objects_by_image(original, split), objects_by_image(dataset, split)
                assert before.keys() == after.keys()
                for name, found in before.items():
                    assert [each[0] for each in after[name]] == [each[0] for each in found]
                    old, new = ([each[1] for each in side] for side in (found, after[name]))
                    np.testing.assert_allclose(new, old, atol=1e-3, rtol=0)
                    if flags_kept:
                        assert [each[2] for each in after[name]] == [each[2] for each in found]


def test_coco_keeps_its_numbers(tmp_path: Path) -> None:
    write_image(tmp_path / "a" / "images" / "x.jpg")
    coco(
        tmp_path / "a" / "annotations" / "instances_val.json",
        [{"id": 139, "file_name": "x.jpg"}],
        [{"image_id": 139, "category_id": 20, "bbox": [1, 2, 3, 4]}],
    )
    convert(find_dataset(tmp_path / "a"), tmp_path / "b", "coco")
    written = json.loads((tmp_path / "b/annotations/instances_val.json").read_text())
    assert written["images"] == [{"id": 139, "file_name": "x.jpg", "width": 40, "height": 30}]
    assert written["categories"] == [{"id": 10, "name": "cat"}, {"id": 20, "name": "dog"}]
    (annotation,) = written["annotations"]
    assert annotation == {
        **{"id": 1, "image_id": 139, "category_id": 20, "bbox": [1, 2, 3, 4]},
        **{"area": 12, "iscrowd": 0, "segmentation": []},
    }


def test_a_class_with_control_characters(tmp_path: Path) -> None:
    name = "bell\x07 [red]\x1b[1m/../\x00"
    write_image(tmp_path / "data" / "a.jpg")
    image = {"id": 1, "file_name": "a.jpg"}
    dog = {"image_id": 1, "category_id": 10, "bbox": [1, 1, 20, 20]}
    coco(tmp_path / "data" / "train.json", [image], [dog], [name])
    dataset = find_dataset(tmp_path / "data")
    assert dataset.classes == (name,)
    for to in ("yolo", "coco"):
        dataset = find_dataset(convert(dataset, tmp_path / to, to).folder)
        assert objects_by_image(dataset, "train") == {"a": [(name, [1, 1, 21, 21], False)]}
    (failure,) = convert(dataset, tmp_path / "voc", "voc").failures
    assert f"cannot hold the class {name!r}" in str(failure)


def test_pycocotools_opens_what_is_written(scenes: Path, tmp_path: Path) -> None:
    reader = pytest.importorskip("pycocotools.coco")
    dataset = find_dataset(scenes)
    convert(dataset, tmp_path / "b", "coco")
    api = reader.COCO(str(tmp_path / "b/annotations/instances_train.json"))
    expected = sum(len(record[1]) for record in objects_by_image(dataset, "train").items())
    assert len(api.getAnnIds()) == expected
    assert [each["name"] for each in api.loadCats(api.getCatIds())] == list(dataset.classes)


def test_images_of_one_name_stay_apart(tmp_path: Path) -> None:
    for split in ("train", "test"):
        pair(tmp_path / "a" / split, "same", split)
    for to in FORMATS:
        run = convert(find_dataset(tmp_path / "a"), tmp_path / to, to)
        assert run.splits["test"] == 1
        test = find_dataset(tmp_path / to)
        assert objects_by_image(test, "test").keys() == {"same-2"}
        assert objects_by_image(test, "test")["same-2"][0][0] == "test"


@pytest.mark.parametrize("where", ["a/inside", "a", ".", "full", "file"])
def test_where_it_does_not_write(tmp_path: Path, where: str) -> None:
    pair(tmp_path / "a" / "train", "x", "dog")
    write_image(tmp_path / "full" / "mine.jpg")
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigError, match="with --out"):
        convert(find_dataset(tmp_path / "a"), tmp_path / where, "voc")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_folder_that_one_is_in_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair(tmp_path / "a" / "train", "x", "dog")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(ConfigError, match="is the folder that you are in"):
        convert(find_dataset(tmp_path / "a"), Path(), "voc")


def test_an_interrupted_conversion_leaves_nothing(tmp_path: Path) -> None:
    pair(tmp_path / "a" / "train", "x", "dog")

    def interrupt(step: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(find_dataset(tmp_path / "a"), tmp_path / "b", "voc", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_summary(tmp_path: Path) -> None:
    root = yolo(
        tmp_path / "a",
        {
            "train/a.jpg": "1 0.5 0.5 0.5 0.5\n0 0.5 0.5 0.1 0.1\n",
            "train/b.jpg": "",
            "val/c.jpg": "1 0.9 0.5 0.4 0.5\n",
            "val/d.jpg": "7 1 1 1 1\n",
        },
        train="images/train",
        val="images/val",
    )
    Image.new("RGB", (400, 300)).save(root / "images/train/a.jpg")
    dataset = find_dataset(root)
    report = to_json(dataset, summarize(dataset))
    assert report["splits"] == {
        "train": {"photographs": 2, "objects": 2},
        "val": {"photographs": 1, "objects": 1},
        "trainval": {"photographs": 3, "objects": 3},
    }
    assert report["classes"] == {
        # 40 × 30 pixels; 200 × 150, and 8 of 16 × 15.
        "cat": {
            **{"category_id": 0, "objects": 1, "photographs": 1, "difficult": 0},
            **{"small": 0, "medium": 1, "large": 0},
        },
        "dog": {
            **{"category_id": 1, "objects": 2, "photographs": 2, "difficult": 0},
            **{"small": 1, "medium": 0, "large": 1},
        },
    }
    assert (report["without_objects"], report["left_out"], report["clipped"]) == (1, 1, 1)
    assert [each["left_out"] for each in report["problems"]] == [False, True]
    assert "there is no class 7" in report["problems"][1]["problem"]
    json.dumps(report, allow_nan=False)


def test_a_made_split_takes_its_images_from_the_others(tmp_path: Path) -> None:
    for i in range(20):
        pair(tmp_path / "a" / "train", f"{i:02}", "dog" if i % 2 else "cat")
    before = sorted((tmp_path / "a").rglob("*"))
    cache = Cache(tmp_path / "cache")
    made_once = make_split(open_dataset(tmp_path / "a", cache), "test", 0.2, 0, cache)
    assert sorted((tmp_path / "a").rglob("*")) == before
    test = set(made_once.split("test"))
    assert len(test) == 4
    assert sum(int(image_id[-2:]) % 2 for image_id in test) == 2  # as many dogs as cats
    for split in ("train", "trainval"):
        assert set(made_once.split(split)) == set(made_once.ids) - test
    later = make_split(open_dataset(tmp_path / "a", cache), "val", 0.25, 0, cache)
    assert set(later.split("test")) == test
    assert len(later.split("val")) == 4
    assert set(later.split("train")) == set(later.ids) - test - set(later.split("val"))
    assert set(later.split("trainval")) == set(later.ids) - test
    assert open_dataset(tmp_path / "a", cache).splits == later.splits


def test_a_sample_is_drawn_outside_of_the_data(scenes: Path, tmp_path: Path) -> None:
    dataset = find_dataset(scenes)
    drawn, failures = draw_sample(dataset, tmp_path / "drawn", 3, seed=1)
    assert failures == []
    assert sorted((tmp_path / "drawn").iterdir()) == sorted(drawn)
    assert len(drawn) == 3
    assert shuffle(dataset.ids, 1) == shuffle(dataset.ids[::-1], 1) != shuffle(dataset.ids, 2)
    with pytest.raises(ConfigError, match="is in the data set's folder"):
        draw_sample(dataset, scenes / "drawn", 3, seed=1)


def test_results_by_cocos_own_numbers_are_scored(tmp_path: Path) -> None:
    for split, number in (("train", 5), ("val", 139)):
        write_image(tmp_path / "a" / split / f"{number:012}.jpg")
        coco(
            tmp_path / "a" / "annotations" / f"instances_{split}2017.json",
            [{"id": number, "file_name": f"{number:012}.jpg"}],
            [{"image_id": number, "category_id": 20, "bbox": [1, 2, 20, 20]}],
        )
    result = {"image_id": 139, "category_id": 20, "bbox": [1, 2, 20, 20], "score": 0.5}
    (tmp_path / "results.json").write_text(json.dumps([result]))
    cache = Cache(tmp_path / "cache")
    run = evaluate_file(EvaluationJob(tmp_path / "a", "val", cache), tmp_path / "results.json")
    assert run.evaluation.mean_ap("voc07") == 1
