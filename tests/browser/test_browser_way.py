"""Card, answer, rate, points: the whole way, as three people walk it."""

import re
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import NextCard, OpenPhone
from tests.browser.helpers import (
    Site,
    answer,
    count_submissions,
    decoded_cards,
    phone,
    receipt_on,
    submit,
    tick,
)

pytestmark = pytest.mark.browser

SURVEY = "基本公共卫生服务知晓率及满意度调查"


def awareness_base(page: Page, site: Site) -> int:
    """Return the base of the awareness rate on the evaluator's page; nobody answered: 0."""
    page.goto(site.survey("/rates"))
    row = page.get_by_role("row").filter(has=page.locator("a[href='#awareness']"))
    cells = row.locator("td")
    if cells.count() == 1:
        expect(cells).to_have_text("还没有答卷，不可计算。")
        return 0
    return int(cells.nth(1).inner_text())


def printed_card(fieldworker: Page, site: Site) -> str:
    """Open the survey as the fieldworker does, and read the first card of a printed sheet."""
    fieldworker.goto(site.url("/field/"))
    fieldworker.get_by_role("link", name=re.compile(rf"^{SURVEY}")).click()
    fieldworker.get_by_role("link", name="打印", exact=True).first.click()
    link = fieldworker.get_by_role("link", name="卡片（每页十张）", exact=True)
    sheet = fieldworker.context.request.get(site.url(link.get_attribute("href") or ""))
    assert sheet.headers["content-type"] == "application/pdf"
    return decoded_cards(sheet.body())[0]


def test_a_printed_card_becomes_an_answer_a_rate_and_points(
    live_fieldworker: Page, live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    card = printed_card(live_fieldworker, live_site)
    before = awareness_base(live_evaluator, live_site)

    resident = live_phone()
    resident.goto(card)
    answer(resident)
    submit(resident)
    receipt = receipt_on(resident)
    expect(resident.get_by_text("这份答卷已计入结果")).to_be_visible()

    assert awareness_base(live_evaluator, live_site) == before + 1
    live_evaluator.locator("a[href*='/scores/']").first.click()
    expect(live_evaluator.get_by_role("row").filter(has_text="政策知晓度")).to_be_visible()

    resident.goto(card)
    assert receipt_on(resident) == receipt

    stranger = live_phone()
    stranger.goto(card)
    expect(stranger.get_by_role("heading", name="这张卡不能用")).to_be_visible()
    expect(stranger.get_by_text("此卡无效或已使用，如有疑问请联系发卡人员。")).to_be_visible()


def test_a_card_on_a_phones_screen_can_be_scanned(live_fieldworker: Page, live_site: Site) -> None:
    live_fieldworker.goto(live_site.url("/field/batches/3/cards/1"))
    expect(live_fieldworker.get_by_role("img")).to_be_visible()
    (seen,) = zxingcpp.read_barcodes(Image.open(BytesIO(live_fieldworker.screenshot())))
    digits = live_fieldworker.locator(".code").inner_text().replace(" ", "")
    assert seen.text == live_site.url(f"/s/{digits}")


def test_a_card_can_be_answered_by_typing_its_number(
    live_phone: OpenPhone, live_site: Site, live_card: NextCard
) -> None:
    card = live_card()
    digits = card.rsplit("/", 1)[1]
    resident = live_phone()
    resident.goto(live_site.url("/"))
    resident.get_by_label("卡片号码").fill(
        " ".join(digits[start : start + 4] for start in (0, 4, 8, 12))
    )
    resident.get_by_role("button", name="开始").tap()
    expect(resident).to_have_url(card)
    tick(resident)
    submit(resident)
    assert receipt_on(resident)


def test_a_poster_can_be_answered_without_scripts_and_without_cookies(
    live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    before = count_submissions(live_evaluator, live_site)
    resident = live_phone(phone(scripts=False))
    resident.goto(live_site.url(live_site.addresses.poster))
    answer(resident)
    assert resident.context.cookies() == []
    submit(resident)
    assert receipt_on(resident)
    # What comes with the receipt is a random number, for this poster's limit alone (app/limits.py).
    poster = live_site.addresses.poster
    kept = [(each["name"], each["path"]) for each in resident.context.cookies()]
    assert kept == [("device", poster)]
    assert count_submissions(live_evaluator, live_site) == before + 1


def test_a_card_can_be_answered_by_a_phone_that_refuses_cookies_and_scripts(
    live_evaluator: Page, live_phone: OpenPhone, live_site: Site, live_card: NextCard
) -> None:
    before = count_submissions(live_evaluator, live_site)
    resident = live_phone(phone(scripts=False))
    card = live_card()
    resident.goto(card)
    resident.context.clear_cookies()
    tick(resident)
    submit(resident)
    assert receipt_on(resident)
    resident.context.clear_cookies()
    assert count_submissions(live_evaluator, live_site) == before + 1
    resident.goto(card)
    expect(resident.get_by_role("heading", name="这张卡不能用")).to_be_visible()
