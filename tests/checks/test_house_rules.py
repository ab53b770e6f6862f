"""House rules that no linter knows; each message says why, and what to do instead."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted(
    path for part in ("app", "surveys", "analysis") for path in (ROOT / part).rglob("*.py")
)
TEMPLATES = sorted((ROOT / "app/templates").rglob("*.html"))

RULES = [
    (
        re.compile(r"\.(commit|rollback)\("),
        {"app/db.py"},
        "A transaction ends in app.db.transaction() only, or a failed request leaves half behind.",
    ),
    (
        re.compile(r"except (Base)?Exception\b|except\s*:"),
        set(),
        "Name the failure you expect; an unexpected one belongs to the error page and the log.",
    ),
    (
        re.compile(r"\}%[\"'（，。）]|\} 分[\"'（，。）]"),
        {"app/formats.py", "analysis/scoring/wording.py", "analysis/published.py"},
        "Percentages and points are worded in app/formats.py, so that rounding is decided once.",
    ),
    (
        re.compile(r"\b(utils|helpers|manager|Mixin)\b"),
        set(),
        "Say what the thing is; these words say nothing (DESIGN.md, few nouns).",
    ),
]
TEMPLATE_RULES = [
    (re.compile(r"\|\s*safe\b"), "Autoescape stays on: mark text as Markup where it is made."),
    (re.compile(r"<[^>]*\son[a-z]+="), "No inline handlers: the policy of contents refuses them."),
    (re.compile(r"<[^>{]*\sstyle="), "No inline styles: the policy of contents refuses them."),
    (re.compile(r"\}\}\s?[%分]"), "Use the filters percent, percentage and points."),
    (re.compile(r"(src|href)=\"(https?:)?//"), "Nothing is loaded from another host."),
]


def _found(pattern: re.Pattern[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if pattern.search(line):
            yield f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


@pytest.mark.parametrize(("pattern", "allowed", "lesson"), RULES)
def test_code_keeps_the_house_rules(
    pattern: re.Pattern[str], allowed: set[str], lesson: str
) -> None:
    faults = [
        fault
        for path in PYTHON
        if str(path.relative_to(ROOT)) not in allowed
        for fault in _found(pattern, path)
    ]
    assert not faults, "\n".join([lesson, *faults])


@pytest.mark.parametrize(("pattern", "lesson"), TEMPLATE_RULES)
def test_templates_keep_the_house_rules(pattern: re.Pattern[str], lesson: str) -> None:
    faults = [fault for path in TEMPLATES for fault in _found(pattern, path)]
    assert not faults, "\n".join([lesson, *faults])


def test_every_chinese_text_of_a_template_goes_through_gettext() -> None:
    """English readers get the whole page, not half of it."""
    faults = []
    for path in TEMPLATES:
        if path.name == "failed.html":  # static by design, in both languages
            continue
        text = re.sub(r"_\(.*?\)(?=\s*[}),%|]|\s*\])", "", path.read_text(encoding="utf-8"))
        text = text.replace('"中文"', "")  # a language is named in itself
        for number, line in enumerate(text.splitlines(), 1):
            if re.search(r"[\u4e00-\u9fff]", line):
                faults.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not faults, "\n".join(["Wrap the text in _(…).", *faults])
