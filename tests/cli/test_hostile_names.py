"""Every place where names of files and classes are shown × every name that would do harm there."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import typer
from rich.table import Table
from rich.text import Text

from frcnn_cli.cli.terminal import Terminal
from frcnn_cli.cli.text import facts
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.inspect.convert import convert
from frcnn_cli.detection.formats.registry import open_writer
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.pictures import drawings
from frcnn_cli.errors import DataError, FrcnnError
from frcnn_cli.evaluation.report.html import render_report
from frcnn_cli.records import DetectedImage, Detections, as_boxes
from support.datasets import pair, write_image
from support.reports import report

PAYLOADS = {
    "clipboard (OSC 52)": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "clear the screen": "\x1b[2J\x9b2J",
    "a line of its own": "cat\nfrcnn: error: pay here",
    "carriage return": "cat\rdog",
    "reversed": "\u202egpj.exe",
    "Rich markup": "[bold red]cat[/bold red][link=http://127.0.0.1]x[/link][/]",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'",
    "up": "../../cat",
    "dots": "..",
    "root": "/etc/cat",
    "formula": "=cmd|' /C calc'!A0",
    "at": "@SUM(1)",
    "not UTF-8": "cat\udc80",
}


@pytest.fixture
def screen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Returns what was printed to a terminal of 200 columns, without Rich's own colours."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def read() -> str:
        printed = capsys.readouterr()
        return printed.out + printed.err

    return read


def is_harmless(printed: str, payload: str, lines: int | None = None) -> None:
    for character in printed:
        assert character.isprintable() or character in "\n", repr(printed)
    if lines is not None:
        assert len(printed.strip().splitlines()) == lines
    if "[bold" in payload:
        assert "[bold red]" in printed, "shown, not obeyed"


def in_terminal(show: Callable[[Terminal, str], None]) -> Callable[[str], None]:
    def sink(payload: str) -> None:
        with pytest.raises(typer.Exit), Terminal() as terminal:
            show(terminal, payload)
            raise FrcnnError("an end")

    return sink


def table(terminal: Terminal, payload: str) -> None:
    rows = Table("class", "objects")
    rows.add_row(Text(payload), "3")
    terminal.say(rows)


def log(level: int) -> Callable[[Terminal, str], None]:
    def show(_: Terminal, payload: str) -> None:
        logging.getLogger("frcnn_cli.data.images").log(level, "%s: has 2 frames", payload)

    return show


def failures(terminal: Terminal, payload: str) -> None:
    terminal.finish([DataError(f"has class {payload!s}", file=payload)], succeeded=1)


SCREENS: Mapping[str, Callable[[Terminal, str], None]] = {
    "headline and facts": lambda terminal, payload: terminal.say(facts(payload, {"file": payload})),
    "table": table,
    "text": lambda terminal, payload: terminal.say(Text(payload)),
    "warning": log(logging.WARNING),
    "information": log(logging.INFO),
    "failures": failures,
    "interruption": lambda terminal, payload: setattr(terminal, "if_interrupted", payload),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("sink", SCREENS)
def test_on_the_terminal(screen, sink: str, payload: str) -> None:
    in_terminal(SCREENS[sink])(payload)
    printed = screen()
    one_line = {"warning": 2, "information": 2, "failures": 1}.get(sink)
    is_harmless(printed, "" if sink == "interruption" else payload, one_line)


@pytest.mark.parametrize("error", [OSError(2, "gone"), RuntimeError, FrcnnError])
@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_errors(screen, error, payload: str) -> None:
    with pytest.raises(typer.Exit), Terminal():
        raise OSError(2, "gone", payload) if isinstance(error, OSError) else error(payload)
    is_harmless(screen(), payload, 1)


def test_in_the_page_of_a_report() -> None:
    html = render_report(*report(tuple(PAYLOADS.values())))
    assert "<script" not in html
    assert "onerror=alert(1)>" not in html.replace("&gt;", ">").replace(" onerror=alert(1)>", "")
    assert "&lt;script&gt;" in html


def detected(payload: str) -> DetectedImage:
    boxes, score = as_boxes([[0, 0, 3, 2]]), np.array([0.5], np.float32)
    return DetectedImage(payload, 4, 3, 1, Detections(boxes, score, np.array([1])))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "frcnn", "coco"])
def test_in_a_text_file(tmp_path: Path, kind: str, payload: str) -> None:
    path = tmp_path / "out"
    with open_writer(kind, path, WriterContext((payload,))) as writer:
        writer.write(detected(payload))
    text = path.read_text(encoding="utf-8")
    is_harmless(text, "")
    if kind == "csv":
        _, row = csv.reader(io.StringIO(text))
        assert not row[0].startswith(("=", "+", "-", "@"))
        assert not row[3].startswith(("=", "+", "-", "@"))
    elif kind in {"jsonl", "frcnn"}:
        document = json.loads(text)
        entry = document if kind == "jsonl" else document["images"][0]
        assert (entry["file"], entry["detections"][0]["label"]) == (payload, payload)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_in_a_folder_of_files(tmp_path: Path, kind: str, payload: str) -> None:
    """Names of files stay in the folder, or the format refuses them."""
    out = tmp_path / "a" / "b" / "out"
    try:
        with open_writer(kind, out, WriterContext((payload,))) as writer:
            writer.write(detected(f"{payload}.jpg"))
    except DataError as error:
        is_harmless(str(error), "", 1)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(out) for path in written)
    assert not Path("/etc/cat.txt").exists()


NAMES = [name for name in PAYLOADS.values() if "/" not in name and name != ".."]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_pictures_stay_in_their_folder(tmp_path: Path, name: str) -> None:
    image = write_image(tmp_path / "in" / f"{name}.jpg")
    given = ImageInput(image)
    with drawings(tmp_path / "out", [given], ("dog",), 0.5) as show:
        show(given, detected(str(image)), given.load())
    (picture,) = [path for path in tmp_path.rglob("*") if path.is_file() and path != image]
    assert picture.parent == tmp_path / "out"


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("kind", ["voc", "coco", "yolo"])
def test_conversions_stay_in_their_folder(tmp_path: Path, kind: str, payload: str) -> None:
    name = payload if payload in NAMES else "a"
    try:
        pair(tmp_path / "in", name, payload)
        found = find_dataset(tmp_path / "in")
        dataset = found.with_splits({"train": found.ids})
        convert(dataset, tmp_path / "x" / "out", kind)
    except (FrcnnError, ValueError) as error:  # XML cannot hold every name
        is_harmless(str(error), "")
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(
        path.is_relative_to(tmp_path / "in") or path.is_relative_to(tmp_path / "x" / "out")
        for path in made
    )
