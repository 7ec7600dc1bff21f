"""The frame around the commands: help, version, errors as one line, exit codes."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys

import pytest
import typer

from frcnn_cli import __version__
from frcnn_cli.cli.app import main
from frcnn_cli.cli.terminal import Terminal
from frcnn_cli.errors import CacheError, FrcnnError, ImageError


def run_main(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["frcnn", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def exit_code(terminal: Terminal, error: BaseException) -> int:
    with pytest.raises(typer.Exit) as caught, terminal:
        raise error
    return caught.value.exit_code


def test_help_imports_neither_torch_nor_opencv():
    code = """
import sys
sys.argv = ["frcnn", "--help"]
from frcnn_cli.cli.app import main
try:
    main()
finally:
    heavy = {"torch", "cv2", "torchvision", "matplotlib", "PIL", "numpy"} & set(sys.modules)
    print("HEAVY", sorted(heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    assert "proposals" in done.stdout


@pytest.mark.parametrize("words", [[], ["detect"], ["eval"], ["cache", "verify"]])
def test_help_has_no_types_or_braces_of_typer(monkeypatch, capsys, words):
    assert run_main(monkeypatch, *words, "--help") == 0
    shown = capsys.readouterr().out
    assert not re.search(r"<\w+|\{\w+\}", shown), shown
    if words == ["detect"]:
        assert "frcnn detect [OPTIONS] PATH..." in shown


def test_version(monkeypatch, capsys):
    assert run_main(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"frcnn {__version__}\n"


@pytest.mark.parametrize("arguments", [["prposals"], ["proposals"], ["proposals", "a", "--nope"]])
def test_wrong_command_line_is_2(monkeypatch, capsys, arguments):
    assert run_main(monkeypatch, *arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["cache", "ls", "--cache-dir", ""], "--cache-dir"),
        (["detect", "a.jpg", "--page="], "--page"),
        (["data", "pets", "--make-split", ""], "--make-split"),
        (["detect", "a.jpg", ""], "an argument"),
    ],
)
def test_an_empty_value_is_not_the_working_directory(monkeypatch, capsys, words, named):
    assert run_main(monkeypatch, *words) == 2
    assert f"{named} is empty; is a variable not set?" in capsys.readouterr().err


def test_unknown_setting_is_one_line_that_names_the_file(monkeypatch, capsys, tmp_path):
    (tmp_path / "frcnn.toml").write_text("[proposals]\nmax_sides = 3\n")
    monkeypatch.chdir(tmp_path)
    assert run_main(monkeypatch, "proposals", "images") == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("frcnn: error: frcnn.toml: [proposals] unknown key 'max_sides'")


def test_error_is_one_line_even_when_long_or_with_brackets(capsys):
    error = CacheError("cannot be written", remedy="free some space" * 20, file="[red]odd[/].npy")
    assert exit_code(Terminal(), error) == 1
    assert capsys.readouterr().err == f"frcnn: error: {error}\n"


def test_unexpected_error_is_called_a_bug(capsys):
    assert exit_code(Terminal(), ValueError("three\nlines\nhere")) == 1
    err = capsys.readouterr().err
    assert err.startswith("frcnn: error: ValueError: three lines here; this is a bug")
    assert err.count("\n") == 1


def test_verbose_shows_the_traceback_of_an_unexpected_error(capsys):
    assert exit_code(Terminal(verbose=True), ValueError("deep")) == 1
    assert "Traceback" in capsys.readouterr().err


def test_operating_system_error_names_its_file(capsys):
    assert exit_code(Terminal(), PermissionError(13, "Permission denied", "boxes.json")) == 1
    assert capsys.readouterr().err == "frcnn: error: boxes.json: Permission denied\n"


def test_interruption_reports_what_is_kept(capsys):
    terminal = Terminal()
    terminal.if_interrupted = "12 images are kept"
    assert exit_code(terminal, KeyboardInterrupt()) == 130
    assert "12 images are kept" in capsys.readouterr().err


@pytest.mark.parametrize(("succeeded", "code"), [(5, 3), (0, 1)])
def test_failures_are_listed_one_a_line(capsys, succeeded, code):
    failures: list[FrcnnError] = [ImageError("is text", file="a.jpg"), ImageError("x", file="b")]
    with pytest.raises(typer.Exit) as caught, Terminal() as terminal:
        terminal.finish(failures, succeeded)
    assert caught.value.exit_code == code
    assert capsys.readouterr().err == "frcnn: failed: a.jpg: is text\nfrcnn: failed: b: x\n"


def test_no_failures_finish_in_silence(capsys):
    with Terminal() as terminal:
        terminal.finish([], 3)
    assert capsys.readouterr() == ("", "")


def test_json_is_alone_on_stdout(capsys):
    with Terminal(as_json=True) as terminal:
        terminal.say("working")
        terminal.result({"images": 3}, "3 images")
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"images": 3}
    assert captured.err == ""


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, ["note", "warn"]),
        ({"quiet": True}, []),
        ({"as_json": True}, ["warn"]),
        ({"verbose": True}, ["debug", "note", "warn"]),
    ],
)
def test_log_records_become_lines(capsys, options, shown):
    logger = logging.getLogger("frcnn_cli.somewhere")
    with Terminal(**options):
        logger.debug("debug")
        logger.info("note")
        logger.warning("warn")
    err = capsys.readouterr().err
    assert [line.split(": ")[-1] for line in err.splitlines()] == shown
