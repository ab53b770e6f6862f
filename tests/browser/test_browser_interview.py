"""A fieldworker asks a resident and fills the form in, on a phone of 360 × 740."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.helpers import (
    CHOICES,
    Site,
    answer,
    count_submissions,
    receipt_on,
    sideways,
    submit,
)

pytestmark = pytest.mark.browser


def test_a_fieldworker_fills_the_form_in_for_a_resident(
    live_fieldworker: Page, live_evaluator: Page, live_site: Site
) -> None:
    before = count_submissions(live_evaluator, live_site)
    phone = live_fieldworker
    phone.goto(live_site.url(f"/field/surveys/{live_site.addresses.open_survey}"))
    phone.get_by_role("link", name=re.compile("^替群众填写")).tap()
    expect(phone.get_by_text("先读说明")).to_be_visible()
    assert sideways(phone) == []

    answer(phone, CHOICES)
    submit(phone)
    summary = phone.get_by_role("alert")
    expect(summary).to_contain_text("请先把说明读给对方听")
    expect(summary).to_contain_text("当面问的还是打电话")
    expect(phone.locator("#q1-aware")).to_be_checked()

    answer(phone, ("_read", "_channel-interviewed"))
    area = phone.get_by_label("对方所在的片区")
    if area.input_value() == "":
        area.select_option(index=1)
    submit(phone)
    assert receipt_on(phone)
    assert sideways(phone) == []
    assert count_submissions(live_evaluator, live_site) == before + 1

    phone.get_by_role("link", name="下一位").tap()
    expect(phone.locator("#_channel-interviewed")).to_be_checked()
    expect(phone.locator("#_read")).not_to_be_checked()
    expect(phone.locator("#q1-aware")).not_to_be_checked()
    expect(phone.locator("#restored")).to_be_hidden()
