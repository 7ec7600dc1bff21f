"""Fills the tables of README.md and docs/ from the code that they describe.

    python docs/generate.py

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. tests/test_docs.py fails where one
differs from the code.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import typer

from frcnn_cli import config
from frcnn_cli.cli.app import app
from frcnn_cli.config import BackboneName
from frcnn_cli.config.fields import expected
from frcnn_cli.config.recipes import DEFAULTS
from frcnn_cli.model.backbones import BACKBONES
from frcnn_cli.model.batch import CAFFE_BGR, IMAGENET_RGB, Preprocessing

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import schemas  # noqa: E402  beside this file

SCHEMAS = ROOT / "docs/reference/schemas.json"
MARKED = re.compile(r"<!-- table: (?P<name>[^>]+?) -->\n.*?<!-- end -->", re.DOTALL)

_LETTERS: Mapping[BackboneName, str] = {"alexnet": "S", "vgg_cnn_m_1024": "M", "vgg16": "L"}
_TORCHVISION = "torchvision, downloaded at the first use"
_WEIGHTS: Mapping[BackboneName, str] = {
    "efficientnet_lite0": "installed with frcnn",
    "efficientnet_lite2": "installed with frcnn",
    "vgg16": _TORCHVISION,
    "vgg_cnn_m_1024": "your own file, `--weights FILE`",
    "alexnet": _TORCHVISION,
    "resnet50": _TORCHVISION,
}

Rows = Iterable[Iterable[str]]


def pages() -> list[Path]:
    """Returns every page that may hold a table."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def filled(text: str) -> str:
    """Returns a page with all of its tables as the code has them now."""

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- table: {name} -->\n{_table(name)}\n<!-- end -->"

    return MARKED.sub(replace, text)


def commands() -> dict[str, Any]:
    """Returns the commands by name; those of a group as "cache ls"."""
    found = {}
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found |= {f"{name} {each}": c for each, c in inner.items()} if inner else {name: command}
    return found


def schemas_text() -> str:
    """Returns the JSON Schemas of what the commands write."""
    document = schemas.json_schemas()
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(each, ensure_ascii=False)}"
        for name, each in document.pop("$defs").items()
    )
    head = json.dumps(document)[:-1]
    return f'{head}, "$defs": {{\n{lines}\n}}}}\n'


def _table(name: str) -> str:
    """Returns the table `name`: "options train", "config train", "backbones"."""
    kind, _, subject = name.partition(" ")
    makers: Mapping[str, Callable[[], str]] = {
        "options": lambda: _options(commands()[subject]),
        "config": lambda: _fields(config.SECTIONS[subject]),
        "backbones": _backbones,
        "json": lambda: _markdown(("key", "meaning"), schemas.rows(subject)),
    }
    return makers[kind]()


def _options(command: Any) -> str:
    rows = [_option_row(parameter) for parameter in command.params]
    return _markdown(("option", "default", "meaning"), rows)


def _option_row(parameter: Any) -> tuple[str, str, str]:
    metavar = parameter.metavar or ""
    if parameter.param_type_name == "argument":
        shown = f"`{metavar}{'...' if parameter.nargs == -1 else ''}`"
    else:
        long, short = (
            [name for name in parameter.opts if name.startswith("--") == is_long]
            for is_long in (True, False)
        )
        shown = ", ".join(f"`{' '.join(filter(None, (name, metavar)))}`" for name in long + short)
    return shown, _default(parameter), parameter.help or ""


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.envvar:
        return f"`{parameter.default}`, or `${parameter.envvar}`"
    shown = parameter.show_default
    if isinstance(shown, str):
        return f"`{shown}`" if re.fullmatch(r"[\w.]+", shown) else shown
    default = parameter.default
    if default is None or isinstance(default, bool) or shown is False:
        return ""
    return f"`{default}`"


def _fields(section: type[config.Config]) -> str:
    recipe = {type(part): part for part in vars(DEFAULTS["efficientnet_lite0"]).values()}
    ours = recipe.get(section)
    head = ["key", "value", "default", "meaning"]
    if ours is not None:
        head[2:3] = ["default", "efficientnet_lite0"]
    rows = []
    for setting in section.settings().values():
        row = [f"`{setting.name}`", expected(setting.hint), f"`{_toml(setting.default)}`"]
        if ours is not None:
            value = setting.of(ours)
            row.append("" if value == setting.default else f"`{_toml(value)}`")
        rows.append([*row, setting.help])
    return _markdown(head, rows)


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def _backbones() -> str:
    head = (
        *("`--backbone`", "paper", "ImageNet weights", "stride", "RoI grid"),
        *("trained from", "input"),
    )
    rows = []
    for name, build in BACKBONES.items():
        with torch.device("meta"):
            spec = build().spec
        rows.append(
            (
                f"`{name}`",
                _LETTERS.get(name, ""),
                _WEIGHTS[name],
                str(spec.stride),
                f"{spec.pool_size}×{spec.pool_size}",
                f"`{spec.finetune_from}`",
                _input(spec.preprocessing),
            )
        )
    return _markdown(head, rows)


def _input(preprocessing: Preprocessing) -> str:
    if preprocessing == IMAGENET_RGB:
        return "RGB, torchvision's mean and deviation"
    if preprocessing == CAFFE_BGR:
        return "BGR minus Caffe's means"
    mean, std = preprocessing.mean[0], preprocessing.std[0]
    return f"{'BGR' if preprocessing.bgr else 'RGB'}, (x - {mean:g}) / {std:g}"


def _markdown(head: Iterable[str], rows: Rows) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '¦') for cell in line)} |" for line in lines)


def main() -> None:
    """Rewrites every page whose tables are out of date."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if filled(text) != text:
            page.write_text(filled(text), encoding="utf-8")
    SCHEMAS.write_text(schemas_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
