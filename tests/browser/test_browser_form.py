"""The form: faults are shown all at once, nothing chosen is lost, and a keyboard is enough."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NextCard, OpenPhone
from tests.browser.helpers import CHOICES, Site, answer, desktop, phone, receipt_on, submit, tick

pytestmark = pytest.mark.browser

WITHOUT_3_AND_7 = [choice for choice in CHOICES if not choice.startswith(("q3-", "q7-"))]


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_faults_are_listed_linked_and_mended(
    live_phone: OpenPhone, live_card: NextCard, *, scripts: bool
) -> None:
    resident = live_phone(phone(scripts=scripts))
    resident.goto(live_card())
    tick(resident, WITHOUT_3_AND_7)
    submit(resident)

    expect(resident).to_have_title(re.compile(r"^错误："))
    links = resident.get_by_role("alert").get_by_role("link")
    expect(links).to_have_text(["第 3 题还没有选。", "第 7 题还没有选。"])
    for choice in WITHOUT_3_AND_7:
        expect(resident.locator(f"#{choice}")).to_be_checked()
    for number, control in ((3, "q3-often"), (7, "q7-satisfied")):
        links.filter(has_text=f"第 {number} 题").tap()
        expect(resident.locator(f"#{control}")).to_be_focused()
        expect(resident.locator(f"#{control}")).to_be_in_viewport()

    answer(resident, ["q3-often", "q7-mostly_satisfied"])
    submit(resident)
    assert receipt_on(resident)


def test_following_a_fault_shows_the_question_and_what_is_wrong(
    live_phone: OpenPhone, live_site: Site
) -> None:
    resident = live_phone()
    resident.goto(live_site.url(live_site.addresses.poster))
    submit(resident)
    links = resident.get_by_role("alert").get_by_role("link")
    expect(links).to_have_count(11)
    for link in links.all():
        link.tap()
        question = resident.locator("fieldset:focus-within")
        expect(question.locator("legend")).to_be_in_viewport(ratio=1, timeout=2000)
        expect(question.locator(".m")).to_be_in_viewport(ratio=1, timeout=2000)


def test_a_wrong_card_number_stays_to_be_mended(live_phone: OpenPhone, live_site: Site) -> None:
    resident = live_phone()
    resident.goto(live_site.url("/"))
    resident.get_by_label("卡片号码").fill("1234 5678")
    resident.get_by_role("button", name="开始").tap()
    expect(resident).to_have_title(re.compile(r"^错误："))
    expect(resident.get_by_label("卡片号码")).to_have_value("1234 5678")
    expect(resident.get_by_label("卡片号码")).to_have_accessible_description(re.compile("16 位"))


def test_a_keyboard_is_enough(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone(desktop())
    page.goto(live_site.url(live_site.addresses.poster))
    stops = focus_stops(page)
    assert [stop for stop in stops if stop != "q2"] == [
        "",  # the link to large type
        *(f"q{number}" for number in range(1, 13) if number != 2),
        "_by",
        "_end",
    ]
    # The arrow went from the first option to the second, and chose it.
    expect(page.locator("#q1-unaware")).to_be_checked()
    page.keyboard.press("Enter")
    assert receipt_on(page)


def focus_stops(page: Page) -> list[str]:
    """Tab through the form, answer what the focus reaches, and stop on the button."""
    stops: list[str] = []
    while not stops or stops[-1] != "_end":
        assert len(stops) < 40, stops
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        expect(focused).to_be_in_viewport()
        stops.append(focused.get_attribute("name") or "")
        if focused.get_attribute("type") == "radio":
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
        elif stops.count("q2") == 1 and stops[-1] == "q2":
            page.keyboard.press("Space")
    return stops
