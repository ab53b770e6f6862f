"""The manual is tested: what it names exists, and what exists is named (STYLE.md, 8 and 9)."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name
from urllib.parse import unquote

import click
import pytest
from flask import Flask

import app.models
from analysis.scoring import feed
from analysis.scoring.rubric import parse as parse_rubric
from analysis.scoring.rules import points
from app import create_app
from app.config import SETTINGS, Setting, read_settings
from surveys.reading import parse_toml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

_LINK = re.compile(r"\]\(([^)\s]+)\)|\b(?:src|href)=\"([^\"]+)\"")
_CODE_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_DOTTED = re.compile(r"`((?:app|surveys|analysis)(?:\.\w+)+)`")


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _blocks(name: str, language: str) -> list[str]:
    return [body for found, body in _CODE_BLOCK.findall(_text(name)) if found == language]


def _commands(group: click.Group, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app(read_settings({"MINPING_INSTANCE": str(tmp_path_factory.mktemp("docs"))}))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_in_the_operators_manual(setting: Setting) -> None:
    default = f"`{setting.default}`" if setting.default else "empty"
    row = f"| `{setting.name}` | {default} | {setting.help} |"
    assert row in _text("docs/operating.md"), f"put this row in the table of settings: {row}"


def test_the_operators_manual_names_no_setting_that_is_gone() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| .+ \| .+ \|$", _text("docs/operating.md"), re.MULTILINE)
    assert set(rows) == {setting.name for setting in SETTINGS}


def test_every_command_is_in_the_operators_manual(application: Flask) -> None:
    shown = set(
        re.findall(r"flask --app wsgi ([a-z]+(?: [a-z]+(?:-[a-z]+)*)?)", _text("docs/operating.md"))
    )
    named = shown | {line.split()[0] for line in shown}
    missing = [command for command in _commands(application.cli) if command not in named]
    assert not missing, f"give each of these an example in docs/operating.md: {missing}"


def test_every_command_in_the_documents_exists(application: Flask) -> None:
    known = {*_commands(application.cli), "run", "routes", "shell"}
    faults = [
        f"{page.relative_to(ROOT)}: flask --app wsgi {found}"
        for page in PAGES
        for found in re.findall(
            r"flask --app wsgi ([a-z]+(?: [a-z]+(?:-[a-z]+)*)?)", page.read_text(encoding="utf-8")
        )
        if found not in known and found.split()[0] not in known
    ]
    assert not faults, "\n".join(["No such command:", *faults])


def test_the_questionnaire_in_the_documents_passes_the_check(
    application: Flask, tmp_path: Path
) -> None:
    (example,) = [
        block for block in _blocks("docs/questionnaire-format.md", "toml") if "format =" in block
    ]
    assert len(parse_toml(example, "example").measures) > 1
    file = tmp_path / "example.toml"
    file.write_text(example, encoding="utf-8")
    arguments = ["questionnaires", "check", str(file)]
    checked = application.test_cli_runner().invoke(args=arguments)
    assert checked.exit_code == 0, checked.output


def test_the_rubric_in_the_documents_is_one() -> None:
    (example,) = [
        block for block in _blocks("docs/rubric-format.md", "toml") if "full_marks =" in block
    ]
    assert parse_rubric(example, "example").indicators


def test_the_rules_in_the_documents_are_the_bundled_ones() -> None:
    bundled = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "analysis/scoring/rubrics").glob("*.toml"))
    )
    quoted = [
        block for block in _blocks("docs/rubric-format.md", "toml") if "full_marks =" not in block
    ]
    assert quoted
    changed = [block for block in quoted if block.strip() not in bundled]
    assert not changed, "\n".join(["No bundled rubric says this any more:", *changed])


def test_the_feed_in_the_documents_can_be_read() -> None:
    (example,) = [block for block in _blocks("docs/feed-format.md", "json") if "format" in block]
    assert feed.parse(example).measurements


def test_the_feed_in_the_documents_is_scored_as_they_say() -> None:
    (example,) = [block for block in _blocks("docs/feed-format.md", "json") if "format" in block]
    (measurement,) = feed.parse(example).measurements
    rubric = parse_rubric(_text("analysis/scoring/rubrics/public-health-2021.toml"), "bundled")
    indicator = rubric.indicator(measurement.indicator)
    assert isinstance(measurement.content, feed.Rate)
    earned = indicator.rounding.show(points(indicator.rule, measurement.content.value).value)
    assert f"{earned} / {indicator.weight} 分" in _text("docs/feed-format.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    prose = _CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))
    targets = [unquote(one or other).partition("#")[0] for one, other in _LINK.findall(prose)]
    dead = [
        target
        for target in targets
        if target and ":" not in target and not (page.parent / target).exists()
    ]
    assert not dead, f"{page.relative_to(ROOT)} leads to what is not there: {dead}"


@pytest.mark.parametrize("name", app.models.__all__)
def test_every_model_is_in_the_glossary(name: str) -> None:
    assert inspect.isclass(getattr(app.models, name))
    assert f"`app.models.{name}`" in _text("docs/glossary.md")


def test_the_glossary_points_at_code_that_exists() -> None:
    assert not [name for name in _DOTTED.findall(_text("docs/glossary.md")) if not _exists(name)]


def _exists(dotted: str) -> bool:
    """Say whether a dotted name is a module, something in one, or a class's attribute."""
    try:
        resolve_name(dotted)
    except (ImportError, AttributeError):
        owner, _, name = dotted.rpartition(".")
        return _exists(owner) and name in getattr(resolve_name(owner), "__annotations__", {})
    return True


def _required_packages() -> list[str]:
    lines = [line.partition("#")[0].strip() for line in _text("requirements.in").splitlines()]
    return [re.split(r"[\s\[;<>=!~]", line)[0] for line in lines if line]


@pytest.mark.parametrize("package", _required_packages())
def test_every_required_package_has_a_decision(package: str) -> None:
    decisions = "".join(
        path.read_text(encoding="utf-8") for path in sorted((DOCS / "decisions").glob("*.md"))
    )
    word = rf"(?<![\w-]){re.escape(package)}(?![\w-])"
    assert re.search(word, decisions, re.IGNORECASE), (
        f"say in docs/decisions/ why {package} is here, and its licence"
    )


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
