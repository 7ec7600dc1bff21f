"""`frcnn data`: what it prints and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from frcnn_cli.cache.runs import BEST
from frcnn_cli.cli.app import app
from support.commands import frcnn, trained_run
from support.datasets import pair, write_image, xml, yolo

BOX = "1 0.5 0.5 0.5 0.2\n"


def test_it_lists_problems_and_ends_with_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    yolo(Path("pets"), {"a.jpg": BOX, "b.jpg": "x\ny\n"}, train="images")
    run = CliRunner().invoke(app, ["data", "pets"])
    assert run.exit_code == 3
    for problem in ("pets/labels/b.txt: line 1 is 'x'", "pets/labels/b.txt: line 2 is 'y'"):
        assert problem in " ".join(run.stdout.split())
    assert "1 image, 1 object, 2 classes" in run.stdout
    # The JSON has what the text has.
    found = json.loads(CliRunner().invoke(app, ["data", "pets", "--json"]).stdout)
    assert found["schema"] == "frcnn.data/1"
    assert found["classes"]["dog"]["objects"] == 1
    assert [each["file"] for each in found["problems"]] == ["pets/labels/b.txt"] * 2
    assert found["left_out"] == 1


def test_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for i in range(5):
        pair(Path("pets/train"), f"{i}", "dog")
    flags = ["--make-split", "test", "--to", "yolo", "--out", "new", "--pictures", "drawn"]
    run = CliRunner().invoke(app, ["data", "pets", "--json", *flags])
    assert run.exit_code == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["converted"]["splits"] == {"train": 4, "test": 1}
    assert len(found["pictures"]) == 5
    assert all(Path(path).is_file() for path in found["pictures"])
    assert Path("new/data.yaml").is_file()


@pytest.mark.parametrize(
    "flags",
    [
        *(["--to", "voc"], ["--out", "x"], ["--make-split", "train"]),
        *(["--make-split", name] for name in ("..", "../x", "a/b", "a\nb", "-x")),
    ],
)
def test_flags_that_contradict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pair(Path("pets/train"), "a", "dog")
    run = CliRunner().invoke(app, ["data", "pets", *flags])
    assert run.exit_code == 1
    assert run.stderr.startswith("frcnn: error: ")
    assert "; " in run.stderr


@pytest.mark.slow
def test_the_images_to_annotate_next(project: Path, tmp_path: Path) -> None:
    """Ranked once, they are cached; an annotated one is not among them, a damaged one is listed."""
    for name in ("1", "2", "3"):
        image = sorted((project / "scenes/JPEGImages").iterdir())[int(name)]
        shutil.copy(image, tmp_path / f"{name}.jpg")
    shutil.copy(project / "scenes/Annotations" / f"{image.stem}.xml", tmp_path / "3.xml")
    words = ["data", ".", "--next", "1", "--checkpoint", str(trained_run(project) / BEST)]
    words += ["--gpus", "0", "--config", str(project / "frcnn.toml")]
    done = frcnn(tmp_path, *words, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["unlabelled"], len(found["next"])) == (2, 1)
    (first,) = found["next"]
    assert first["file"] in {"1.jpg", "2.jpg"}
    assert first["doubt"] > 0
    # What is shown comes from the detections that were kept, and so does `frcnn detect --resume`.
    for each in (tmp_path / ".frcnn/proposals").rglob("*.npy"):
        each.unlink()
    (tmp_path / "4.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:-2000])
    done = frcnn(tmp_path, *words)
    assert done.returncode == 3
    assert first["file"] in done.stdout
    assert "4.jpg: is damaged or cut off" in done.stderr
    assert not list((tmp_path / ".frcnn/proposals").rglob("*.npy"))


def test_next_is_for_a_call_of_its_own(tmp_path: Path) -> None:
    done = frcnn(tmp_path, "data", ".", "--next", "5", "--pictures", "drawn")
    assert done.returncode == 2
    assert "--next does not go with --pictures" in done.stderr
    done = frcnn(tmp_path, "data", ".", "--next", "5")
    assert done.returncode == 1
    assert "holds no images" in done.stderr


def test_sizes_are_distinguished_without_colours(tmp_path: Path) -> None:
    """In an image of 400 × 400: objects of 20, 40, 100 and 100 pixels."""
    write_image(tmp_path / "a.jpg", (400, 400))
    sides = [(1, 1, 20, 20), (30, 30, 69, 69), (1, 100, 100, 199), (200, 200, 299, 299)]
    xml(tmp_path / "a.xml", [("dog", side) for side in sides])
    shown = frcnn(tmp_path, "data").stdout
    assert "░░▒▒████" in shown
    assert (
        "░▒█"
        in shown.splitlines()[
            next(i for i, line in enumerate(shown.splitlines()) if "medium" in line)
        ]
    )
