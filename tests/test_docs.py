"""The documentation against the code: tables, commands, settings and links."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from frcnn_cli import config

ROOT = Path(__file__).parent.parent
_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)

PAGES = [page for page in generate.pages() if page.is_file()]
COMMANDS = generate.commands()


def fences(page: Path, *languages: str) -> list[str]:
    """Returns the code blocks of a page in one of the languages."""
    blocks = re.findall(r"^ *```(\S+)[^\n]*\n(.*?)^ *```", page.read_text("utf-8"), re.M | re.S)
    return [body for language, body in blocks if language in languages]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_match_the_code(page):
    text = page.read_text("utf-8")
    assert generate.filled(text) == text, "run: python docs/generate.py"


def test_the_schemas_are_what_the_types_say():
    assert generate.SCHEMAS.read_text("utf-8") == generate.schemas_text(), (
        "run: python docs/generate.py"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_table_of_options(command):
    text = (ROOT / "docs/reference/commands.md").read_text("utf-8")
    assert f"\n## frcnn {command}\n" in text
    assert f"<!-- table: options {command} -->" in text


@pytest.mark.parametrize("section", config.SECTIONS)
def test_every_section_of_the_settings_has_its_table(section):
    text = (ROOT / "docs/reference/settings.md").read_text("utf-8")
    assert f"\n## [{section}]\n" in text
    assert f"<!-- table: config {section} -->" in text


def test_every_setting_is_explained():
    for section in config.SECTIONS.values():
        assert all(setting.help for setting in section.settings().values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_as_written_exist(page):
    for block in fences(page, "sh", "console"):
        for written in block.replace("\\\n", " ").splitlines():
            line = written.removeprefix("$ ")
            if not line.startswith("frcnn ") or line.startswith("frcnn --"):
                continue
            words = shlex.split(line.partition(" | ")[0], comments=True)
            name = " ".join(words[1:3]) if " ".join(words[1:3]) in COMMANDS else words[1]
            known = {name for each in COMMANDS[name].params for name in each.opts}
            flags = {word.partition("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)}
            assert flags <= known | {"--help"}, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_as_written_load(page, tmp_path):
    for block in fences(page, "toml"):
        if set(tomllib.loads(block)) <= set(config.SECTIONS):
            file = tmp_path / "frcnn.toml"
            file.write_text(block, encoding="utf-8")
            config.load_file(file)


def test_flags_in_the_text_exist():
    known = {name for command in COMMANDS.values() for each in command.params for name in each.opts}
    known |= {"--help", "--version", "--install-completion", "--show-completion"}
    for page in PAGES:
        if page.name in {"log.md", "model-card.md"}:
            continue
        prose = re.sub(r"^ *```.*?^ *```", "", page.read_text("utf-8"), flags=re.M | re.S)
        for code in re.findall(r"`([^`\n]+)`", prose):
            if not code.startswith(("pip", "make", "mkdocs", "python", "docker", "torchrun")):
                assert set(re.findall(r"(?<![\w-])--[a-z][\w-]*", code)) <= known, (page.name, code)


ARCHITECTURE = ROOT / "docs/explanation/architecture.md"
PLACES = re.findall(r"`([\w/]+\.py(?:::[\w.]+)?)`", ARCHITECTURE.read_text("utf-8"))


@pytest.mark.parametrize("place", sorted(set(PLACES)))
def test_places_on_the_architecture_page_exist(place):
    file, _, name = place.partition("::")
    node: ast.AST = ast.parse((ROOT / "src/frcnn_cli" / file).read_text("utf-8"))
    for part in filter(None, name.split(".")):
        inner = [each for each in ast.iter_child_nodes(node) if getattr(each, "name", "") == part]
        assert inner, f"{file} has no {name}"
        node = inner[0]


def test_every_package_is_on_the_map():
    packages = {
        each.name for each in (ROOT / "src/frcnn_cli").iterdir() if (each / "__init__.py").is_file()
    }
    page = ARCHITECTURE.read_text("utf-8").partition("## Where is")[0]
    assert packages <= set(re.findall(r"`(\w+)`", page))


FOREIGN = {"operator torchvision::nms does not exist", "No space left on device"}
"""Messages of torch and of the operating system."""


def literals() -> set[str]:
    """Returns every text in the source, with … for what an f-string fills in."""
    found = set()
    for file in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                values = [getattr(part, "value", "") for part in node.values]
                found.add("…".join(each for each in values if isinstance(each, str)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_messages_on_the_troubleshooting_page_exist():
    page = (ROOT / "docs/how-to/troubleshooting.md").read_text("utf-8")
    known = "\n".join(literals() | FOREIGN)
    for cell in re.findall(r"^\| (`.+?) \|", page, re.M):
        for message in re.findall(r"`([^`]+)`", cell):
            for part in re.split(r"…|nan|'2000'; use a |classification loss|[()]", message):
                assert part.strip() in known, message
