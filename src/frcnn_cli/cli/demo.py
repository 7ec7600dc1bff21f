"""`frcnn demo`: the whole tool on a small data set that it makes itself."""

from __future__ import annotations

import shlex
import shutil
import time
from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from frcnn_cli.cli import options
from frcnn_cli.cli.options import option
from frcnn_cli.cli.text import count, duration, facts
from frcnn_cli.errors import ConfigError

_TRAIN, _TEST = 80, 30
_SETTINGS = """# The demo's scenes are small and simple: a laptop learns them in a minute or two.
[input]
short_side = 320
long_side = 512

[train]
iterations = 280
short_sides = [288, 320]
long_side = 512
warmup_steps = 20
ema = 0.99
"""

EXAMPLES = """[bold]Example[/]

[cyan]frcnn demo --dir try/[/]
"""


@options.command(without=("cache_dir", "config", "as_json"))
def demo(
    context: options.CommandContext,
    application: typer.Context,
    folder: Annotated[Path, option("DIR", "--dir")] = Path("demo"),
) -> None:
    """Run proposals, train, eval and detect on a small generated data set.

    Args:
        folder: Output folder; created if missing.
    """
    began = time.monotonic()
    from frcnn_cli.data.scenes import generate

    _start_afresh(folder)
    generate(folder / "scenes", train=_TRAIN, test=_TEST, seed=0)
    (folder / "frcnn.toml").write_text(_SETTINGS, encoding="utf-8")
    context.terminal.say(
        f"Made {count(_TRAIN + _TEST, 'scene')} with VOC annotations in {folder / 'scenes'}. "
        f"The following commands can also be typed in {folder}."
    )
    images = Path("scenes", "JPEGImages")
    image = images / f"{_most_varied(folder / 'scenes')}.jpg"
    given = {"--quiet": context.quiet, "--verbose": context.verbose}
    flags = [flag for flag, is_given in given.items() if is_given]
    with chdir(folder):
        for command in (
            f"proposals {images}",
            "train",
            "eval --out report.json --plot curves.png",
            f"detect {image} --out boxes.json --draw drawn",
        ):
            context.terminal.say(f"\n[bold]$ frcnn {command}[/]")
            words = [*shlex.split(command), "--cache-dir", ".frcnn", *flags]
            _run(application, words)
    context.terminal.say("")
    context.terminal.say(
        facts(
            f"The demo took {duration(time.monotonic() - began)}",
            {
                "picture": str(folder / "drawn" / image.name),
                "boxes": str(folder / "boxes.json"),
                "report": str(folder / "report.json"),
            },
        )
    )


def _most_varied(scenes: Path) -> str:
    """Returns the test scene with the most classes in it, for the picture."""
    from frcnn_cli.data.formats.voc_xml import read_names

    tests = (scenes / "ImageSets/Main/test.txt").read_text(encoding="utf-8").split()
    return max(tests, key=lambda name: len(set(read_names(scenes / f"Annotations/{name}.xml"))))


def _run(application: typer.Context, words: list[str]) -> None:
    """Runs a command of the application in this process, so that torch is loaded once.

    Raises:
        typer.Exit: the command failed.
    """
    code = application.find_root().command.main(words, prog_name="frcnn", standalone_mode=False)
    if code:
        raise typer.Exit(code)


def _start_afresh(folder: Path) -> None:
    """Makes `folder`, or removes what an earlier demo left in it.

    Raises:
        ConfigError: it holds something else, which a demo must not touch.
    """
    settings = folder / "frcnn.toml"
    ours = settings.is_file() and settings.read_text(encoding="utf-8") == _SETTINGS
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise ConfigError(
            "has files that are not from a demo", remedy="name a new folder with --dir", file=folder
        )
    for name in ("scenes", ".frcnn", "drawn"):
        shutil.rmtree(folder / name, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
