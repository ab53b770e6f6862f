"""Impatient thumbs: however often a form is sent, it is one submission with one receipt."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NextCard, OpenPhone
from tests.browser.helpers import Site, answer, count_submissions, phone, receipt_on, submit, tick

pytestmark = pytest.mark.browser


@pytest.fixture
def address(request: pytest.FixtureRequest, live_site: Site, live_card: NextCard) -> str:
    return live_card() if request.param == "card" else live_site.url(live_site.addresses.poster)


both = pytest.mark.parametrize("address", ["card", "poster"], indirect=True)


@both
def test_two_quick_taps_store_one_submission(
    address: str, live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    before = count_submissions(live_evaluator, live_site)
    resident = live_phone()
    resident.goto(address)
    tick(resident)
    resident.get_by_role("button", name="提交").dblclick()
    assert receipt_on(resident)
    assert count_submissions(live_evaluator, live_site) == before + 1


@both
def test_two_tabs_with_one_form_give_one_receipt(
    address: str, live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    before = count_submissions(live_evaluator, live_site)
    first = live_phone()
    first.goto(address)
    second = first.context.new_page()
    second.goto(address)
    key = first.locator("[name=key]").input_value()
    second.locator("[name=key]").evaluate("(field, key) => { field.value = key }", key)
    receipts = set()
    for tab in (first, second):
        tab.bring_to_front()
        tick(tab)
        submit(tab)
        receipts.add(receipt_on(tab))
    assert len(receipts) == 1
    assert count_submissions(live_evaluator, live_site) == before + 1


def test_a_card_opened_twice_is_answered_once(
    live_card: NextCard, live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    before = count_submissions(live_evaluator, live_site)
    card = live_card()
    phones = [live_phone(), live_phone()]
    for each in phones:
        each.goto(card)
        tick(each)
    submit(phones[0])
    assert receipt_on(phones[0])
    submit(phones[1])
    expect(phones[1].get_by_role("heading", name="这张卡不能用")).to_be_visible()
    assert count_submissions(live_evaluator, live_site) == before + 1


@both
def test_reloading_and_going_back_to_send_again_change_nothing(
    address: str, live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    before = count_submissions(live_evaluator, live_site)
    resident = live_phone(phone(scripts=False))
    resident.goto(address)
    tick(resident)
    submit(resident)
    receipt = receipt_on(resident)
    resident.reload()
    assert receipt_on(resident) == receipt
    resident.go_back(wait_until="commit")
    # The filled form from the phone's memory, or already the receipt; a tap on it does no harm.
    resident.locator("button, [data-receipt]").tap()
    assert receipt_on(resident) == receipt
    assert count_submissions(live_evaluator, live_site) == before + 1


@pytest.mark.parametrize("address", ["poster"], indirect=True)
def test_going_back_to_change_an_answer_keeps_the_first_one(
    address: str, live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    before = count_submissions(live_evaluator, live_site)
    resident = live_phone(phone(scripts=False))
    resident.goto(address)
    tick(resident)
    submit(resident)
    receipt = receipt_on(resident)
    resident.go_back(wait_until="commit")
    answer(resident, ["q1-unaware"])
    submit(resident)
    expect(resident.get_by_role("heading", name="已经提交过")).to_be_visible()
    expect(resident.locator("[data-receipt]")).to_have_attribute("data-receipt", receipt)
    assert count_submissions(live_evaluator, live_site) == before + 1
