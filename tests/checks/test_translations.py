"""The pages say in English what they say in Chinese; a failure shows the commands that help."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from flask_babel import get_domain

from app import create_app
from app.config import read_settings

ROOT = Path(__file__).parents[2]
ENGLISH = ROOT / "app/translations/en/LC_MESSAGES/messages.po"
UPDATE = """\
Bring app/translations/en/LC_MESSAGES/messages.po up to date, then translate what is empty there:
  .venv/bin/pybabel extract -F babel.cfg -k _ -k lazy_gettext --no-location --sort-output \\
      --omit-header -o /tmp/messages.pot .
  .venv/bin/pybabel update -i /tmp/messages.pot -d app/translations -l en \\
      --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
"""
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# A lone % counts too: a template would fail to format it.
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%%|%")


def _messages(catalog: Catalog) -> list[Message]:
    return [message for message in catalog if message.id]  # the header has none


def _texts(given: str | Sequence[str] | None) -> Sequence[str]:
    """Return the text as a list of one, or the texts of a message that has a plural."""
    return [given or ""] if given is None or isinstance(given, str) else given


def _placeholders(given: str | Sequence[str] | None) -> set[str]:
    return {found for text in _texts(given) for found in PLACEHOLDER.findall(text)}


def _lesson(fault: str, messages: Iterable[Message]) -> str:
    return "\n".join([UPDATE, fault, *(f"  {message.id}" for message in messages)])


@pytest.fixture(scope="module")
def said() -> Catalog:
    """What the sources and templates say now."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = extract_from_dir(ROOT, methods, options, {**DEFAULT_KEYWORDS, "lazy_gettext": None})
    catalog = Catalog()
    for _file, _line, message, _comments, context in found:
        catalog.add(message, context=context)
    return catalog


@pytest.fixture(scope="module")
def english() -> Catalog:
    with ENGLISH.open("rb") as file:
        return read_po(file, locale="en", abort_invalid=True)


def test_every_message_has_its_english(said: Catalog, english: Catalog) -> None:
    def is_missing(message: Message) -> bool:
        known = english.get(message.id, message.context)
        return known is None or not all(_texts(known.string))

    missing = [message for message in _messages(said) if is_missing(message)]
    assert not missing, _lesson("Without English:", missing)


def test_the_catalogue_holds_nothing_that_is_no_longer_said(
    said: Catalog, english: Catalog
) -> None:
    unsaid = [
        message for message in _messages(english) if said.get(message.id, message.context) is None
    ]
    unsaid += english.obsolete.values()  # the entries commented out with #~
    assert not unsaid, _lesson("Said nowhere:", unsaid)


def test_no_english_is_a_guess(english: Catalog) -> None:
    fuzzy = [message for message in _messages(english) if message.fuzzy]
    assert not fuzzy, _lesson("Check the English, then delete “fuzzy” from:", fuzzy)


def test_the_english_fills_in_what_the_chinese_fills_in(english: Catalog) -> None:
    faults = [
        message
        for message in _messages(english)
        if _placeholders(message.id) != _placeholders(message.string)
    ]
    assert not faults, _lesson("Other placeholders in the English than in:", faults)


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, english: Catalog) -> Flask:
    """An application with the catalogue compiled as it stands, where `make` compiles it too."""
    compiled = ENGLISH.with_suffix(".mo")
    if not compiled.exists() or compiled.stat().st_mtime < ENGLISH.stat().st_mtime:
        with compiled.open("wb") as file:
            write_mo(file, english)
    made = create_app(read_settings({"MINPING_INSTANCE": str(tmp_path)}))
    # Kept for the whole process: an earlier test may have read an older catalogue, or none.
    with made.app_context():
        monkeypatch.setattr(get_domain(), "cache", {})
    return made


@pytest.mark.parametrize(
    ("query", "cookie"),
    [({"lang": "en"}, None), ({}, "en"), ({"lang": "en"}, "zh")],
    ids=["address", "cookie", "address before cookie"],
)
def test_english_is_shown_to_those_who_ask_for_it(
    app: Flask, query: Mapping[str, str], cookie: str | None
) -> None:
    page = _sign_in_page(app, query, cookie)
    assert '<html lang="en">' in page
    assert "Staff sign-in" in page
    # The product's name and the way back to Chinese are named in themselves.
    chinese = CHINESE.findall(page.replace("民评", "").replace("中文", ""))
    assert not chinese, f"Chinese on the English page: {''.join(chinese)}"


@pytest.mark.parametrize(
    ("query", "cookie"),
    [({}, None), ({"lang": "zh"}, "en"), ({"lang": "fr"}, None)],
    ids=["neither", "address before cookie", "unknown language"],
)
def test_chinese_is_shown_to_everybody_else(
    app: Flask, query: Mapping[str, str], cookie: str | None
) -> None:
    page = _sign_in_page(app, query, cookie)
    assert '<html lang="zh-CN">' in page
    assert "工作人员登录" in page
    assert "Staff sign-in" not in page


def _sign_in_page(app: Flask, query: Mapping[str, str], cookie: str | None) -> str:
    client = app.test_client()
    if cookie is not None:
        client.set_cookie("lang", cookie)
    response = client.get("/staff/sign-in", query_string=query)
    assert response.status_code == 200
    return response.get_data(as_text=True)
