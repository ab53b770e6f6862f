"""Every kind of question on a phone, and logic in the page by the rules of the server."""

import json

import pytest
from playwright.sync_api import Page, expect

from app.headers import resident_script
from surveys.logic import evaluate, parse, to_json
from tests.browser.conftest import OpenPhone
from tests.browser.helpers import Site, phone, receipt_on, sideways, submit

pytestmark = pytest.mark.browser

# Expressions with what was answered, each decided here by the server's own rules.
ANSWERS: tuple[dict[str, str | list[str]], ...] = (
    {},
    {"a": "yes"},
    {"a": "12", "b": "9"},
    {"a": "2026-03-05", "b": "2026-12-01"},
    {"a": ["x", "y"], "m.one": "good", "m.two": "bad"},
    {"a": "unsure", "b": "-1.50"},
)
EXPRESSIONS = (
    "a = 'yes'",
    "a != 'yes' or b > 5",
    "a > b",
    "a <= b and b >= -1.5",
    "not a = 'yes'",
    "not (answered(a) and b < 10)",
    "selected(a, 'x') and count(m) >= 2",
    "selected(b, 'x') or answered(m)",
    "count(a) = 2 or m.one = 'good'",
    "a < '2026-04-01'",
    "b = -1.5",
)


def touch(page: Page, *ids: str) -> None:
    for each in ids:
        page.locator(f"label:has([id='{each}'])").tap()


def numbers(page: Page) -> list[str]:
    """Return the numbers of the questions that are to be seen."""
    legends = page.locator("form fieldset[data-asks] > legend:visible").all_inner_texts()
    return [text.split(".")[0] for text in legends]


def test_the_page_decides_as_the_server_does(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    page.goto(live_site.url(live_site.every_kind))
    # The script keeps to itself; a copy of it hands its rule out, in a page without a form.
    script = str(resident_script()).replace(
        "if (!form) return;", "window.decide = evaluate;return;"
    )
    page.goto(live_site.url("/"))
    page.evaluate(f"() => {{ {script} }}")
    cases = [
        (text, answers, evaluate(parse(text), answers))
        for text in EXPRESSIONS
        for answers in ANSWERS
    ]
    trees = [[to_json(parse(text)), answers] for text, answers, _expected in cases]
    decided = page.evaluate("(all) => all.map(([tree, given]) => decide(tree, given))", trees)
    assert {True, False, None} <= set(decided)
    wrong = [
        (text, json.dumps(answers), found, expected)
        for (text, answers, expected), found in zip(cases, decided, strict=True)
        if found is not expected
    ]
    assert wrong == []


def test_only_what_is_asked_is_shown(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    page.goto(live_site.url(live_site.every_kind))
    assert numbers(page) == ["1", "12"]
    touch(page, "went-yes")
    assert numbers(page) == ["1", "2", "4", "5", "6", "8", "11", "12"]
    page.locator("[name=times]").fill("３ 次")
    touch(page, "overall-2", "parts.staff-bad")
    page.locator("[name='wishes.hours']").select_option("1")
    assert numbers(page) == [str(number) for number in range(1, 13)]
    touch(page, "went-no")
    assert numbers(page) == ["1", "12"]


def test_an_exclusive_option_stands_alone_and_words_tick_their_option(
    live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone()
    page.goto(live_site.url(live_site.every_kind))
    touch(page, "went-yes", "why-ill", "why-none")
    expect(page.locator("#why-ill")).not_to_be_checked()
    touch(page, "why-advice")
    expect(page.locator("#why-none")).not_to_be_checked()
    page.locator("[name='why.other']").fill("取药")
    expect(page.locator("#why-other")).to_be_checked()


def fill_in(page: Page) -> None:
    touch(page, "went-yes", "why-pressure", "overall-2", "recommend-10", "heard-board")
    touch(page, "parts.staff-bad", "parts.skill-good", "parts.price-unsure")
    page.locator("[name=times]").fill("3")
    page.locator("[name=last]").fill("2026-03-05")
    page.locator("[name=reason]").fill("排队太久")
    page.locator("[name='wishes.hours']").select_option("1")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_every_kind_is_answered(live_phone: OpenPhone, live_site: Site, *, scripts: bool) -> None:
    page = live_phone(phone(scripts=scripts))
    page.goto(live_site.url(live_site.every_kind))
    fill_in(page)
    submit(page)
    assert receipt_on(page)


def test_every_kind_is_back_after_a_crash(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    page.goto(live_site.url(live_site.every_kind))
    fill_in(page)
    page.reload()
    expect(page.locator("[name=times]")).to_have_value("3")
    expect(page.locator("[name=reason]")).to_have_value("排队太久")
    expect(page.locator("[name='wishes.hours']")).to_have_value("1")
    assert "10" in numbers(page)


@pytest.mark.parametrize("language", ["zh-Hans", "en", "ar"])
@pytest.mark.parametrize("size", ["", "l"], ids=["usual", "large"])
def test_every_kind_fits_the_smallest_phone(
    language: str, size: str, live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone(phone(viewport={"width": 320, "height": 640}, scripts=False))
    page.goto(live_site.url(f"{live_site.every_kind}?lang={language}&size={size}"))
    assert sideways(page) == []
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert sideways(page) == []


def test_a_choice_too_many_is_named_at_once_and_taken_back(
    live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone()
    page.goto(live_site.url(live_site.every_kind))
    told = page.locator("[data-most]")
    touch(page, "went-yes", "why-ill", "why-pressure", "why-vaccine")
    expect(told).to_be_hidden()
    touch(page, "why-advice")
    expect(told).to_have_text("错误：第 5 题最多选 3 个。")
    touch(page, "why-ill")
    expect(told).to_be_hidden()


def test_the_number_on_a_card_is_grouped_while_it_is_typed(
    live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone()
    page.goto(live_site.url("/"))
    box = page.get_by_label("卡片号码")
    box.press_sequentially("123456789")
    expect(box).to_have_value("1234 5678 9")
    for key in ("Backspace", "Backspace", "ArrowLeft", "ArrowLeft", "0"):
        box.press(key)
    expect(box).to_have_value("1234 5067")
    assert box.evaluate("box => box.selectionStart") == 7
