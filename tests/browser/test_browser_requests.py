"""One request brings a resident's page; nothing is asked of anybody else."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NextCard, OpenPhone
from tests.browser.helpers import Site, Watch, phone, receipt_on, submit, tick

pytestmark = pytest.mark.browser


def test_a_residents_page_is_one_request(
    live_phone: OpenPhone, live_watch: Watch, live_card: NextCard
) -> None:
    card = live_card()
    resident = live_phone()
    resident.goto(card, wait_until="networkidle")
    assert live_watch.requests == [card]
    tick(resident)
    submit(resident)
    receipt = receipt_on(resident)
    resident.wait_for_load_state("networkidle")
    # The script follows to the receipt, finds its key there, and only then shows the page.
    _form, sent, found, thanks = live_watch.requests
    assert sent.startswith(card)
    assert found == thanks == resident.url
    assert thanks.endswith(receipt)


def test_a_residents_page_comes_compressed_within_one_round_trip(
    live_phone: OpenPhone, live_card: NextCard
) -> None:
    resident = live_phone()
    answered = resident.goto(live_card())
    assert answered
    assert answered.header_value("content-encoding") == "gzip"
    assert answered.request.sizes()["responseBodySize"] < 10 * 1460  # the first flight of TCP


def test_only_the_first_answer_sets_a_cookie_and_only_for_its_card(
    live_phone: OpenPhone, live_card: NextCard, live_site: Site
) -> None:
    resident = live_phone()
    card = live_card()
    resident.goto(card)
    assert resident.context.cookies() == []
    tick(resident)
    submit(resident)
    receipt_on(resident)
    (cookie,) = resident.context.cookies(card)
    assert cookie["path"] == card.removeprefix(live_site.base_url)
    assert cookie["httpOnly"]
    resident.goto(live_site.url(live_site.addresses.poster))
    assert resident.context.cookies(resident.url) == []


def test_no_other_script_would_run_in_a_residents_page(
    live_phone: OpenPhone, live_site: Site, live_watch: Watch
) -> None:
    resident = live_phone(phone())
    resident.goto(live_site.url("/"))
    resident.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "document.title = 'taken over'";
          document.body.append(script);
        }"""
    )
    assert resident.title() == "输入卡片上的号码"
    assert [one for one in live_watch.troubles if one.startswith("script-src-elem refused")]
    live_watch.troubles.clear()


def test_a_sheet_of_cards_is_kept_by_no_cache(live_fieldworker: Page, live_site: Site) -> None:
    sheet = live_fieldworker.context.request.get(live_site.url("/field/batches/2/sheet.pdf"))
    expect(sheet).to_be_ok()
    assert sheet.headers["cache-control"] == "no-store"
