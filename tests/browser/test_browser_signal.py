"""A weak signal: what is filled in stays on the phone until the server has it, once."""

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import NextCard, OpenPhone
from tests.browser.helpers import (
    CHOICES,
    Site,
    count_submissions,
    phone,
    receipt_on,
    submit,
    tick,
)

pytestmark = pytest.mark.browser

KEPT = "已保存在手机上，有信号时自动发送"
FIRST_FIVE = CHOICES[:5]


def slots(page: Page) -> dict[str, object]:
    """Return what the phone keeps, by the path of the card or poster."""
    kept: dict[str, str] = page.evaluate("({...localStorage})")
    return {name: json.loads(value) for name, value in kept.items()}


def expect_ticked(page: Page, choices: tuple[str, ...]) -> None:
    ticked = page.locator("input[id]:checked").evaluate_all("(all) => all.map((one) => one.id)")
    assert ticked == list(choices)


def drop(route: Route) -> None:
    """The request is lost before it reaches the server."""
    route.abort("connectionreset")


def lose_reply(route: Route) -> None:
    """The server stores the answers; its reply is lost on the way back."""
    route.fetch(max_redirects=0)
    route.abort("connectionreset")


def is_sending(url: str) -> bool:
    return url.endswith("?sent")


def test_answers_are_back_after_a_crash(live_phone: OpenPhone, live_card: NextCard) -> None:
    resident = live_phone()
    card = live_card()
    resident.goto(card)
    tick(resident, FIRST_FIVE)
    key = resident.locator("[name=key]").input_value()
    after_crash = resident.context.new_page()
    resident.close()

    after_crash.goto(card)
    expect_ticked(after_crash, FIRST_FIVE)
    expect(after_crash.get_by_text("上次在这部手机上填的内容已经恢复。")).to_be_visible()
    assert after_crash.locator("[name=key]").input_value() == key
    tick(after_crash)
    submit(after_crash)
    assert receipt_on(after_crash)


def test_answers_are_back_after_a_reload_in_large_type(
    live_phone: OpenPhone, live_card: NextCard
) -> None:
    resident = live_phone()
    resident.goto(live_card())
    tick(resident, FIRST_FIVE)
    resident.get_by_role("link", name="大字").tap()
    expect(resident.locator("html.l")).to_be_attached()
    expect_ticked(resident, FIRST_FIVE)
    resident.reload()
    expect(resident.locator("html.l")).to_be_attached()
    expect_ticked(resident, FIRST_FIVE)


def test_two_cards_on_one_phone_are_kept_apart(
    live_phone: OpenPhone, live_card: NextCard, live_evaluator: Page, live_site: Site
) -> None:
    before = count_submissions(live_evaluator, live_site)
    resident = live_phone()
    first, second = live_card(), live_card()
    resident.goto(first)
    tick(resident)
    resident.goto(second)
    expect_ticked(resident, ())
    tick(resident, CHOICES)
    submit(resident)
    receipt = receipt_on(resident)
    assert list(slots(resident)) == ["minping" + first.removeprefix(live_site.base_url)]
    resident.goto(first)
    expect_ticked(resident, CHOICES)
    submit(resident)
    assert receipt_on(resident) != receipt
    assert slots(resident) == {}
    assert count_submissions(live_evaluator, live_site) == before + 2


def test_nothing_of_one_person_is_shown_to_the_next(live_phone: OpenPhone, live_site: Site) -> None:
    resident = live_phone()
    resident.goto("about:blank")
    poster = live_site.url(live_site.addresses.poster)
    resident.goto(poster)
    tick(resident)
    submit(resident)
    assert receipt_on(resident)
    resident.go_back()
    expect(resident).to_have_url("about:blank")
    resident.goto(poster)
    expect_ticked(resident, ())


def test_what_is_kept_can_be_cleared(live_phone: OpenPhone, live_site: Site) -> None:
    resident = live_phone()
    resident.goto(live_site.url(live_site.addresses.poster))
    link = resident.get_by_role("link", name="清除本机已填内容", exact=True)
    expect(link).to_be_hidden()
    tick(resident, FIRST_FIVE)
    key = resident.locator("[name=key]").input_value()
    link.tap()
    expect(resident.locator("[name=key]")).not_to_have_value(key)
    expect_ticked(resident, ())
    assert slots(resident) == {}


@pytest.mark.parametrize("cut", [drop, lose_reply], ids=["before storing", "after storing"])
def test_a_cut_line_stores_one_submission(
    cut: object,
    live_phone: OpenPhone,
    live_card: NextCard,
    live_evaluator: Page,
    live_site: Site,
) -> None:
    before = count_submissions(live_evaluator, live_site)
    resident = live_phone()
    resident.clock.install()
    resident.goto(live_card())
    tick(resident)
    resident.route(is_sending, cut)  # type: ignore[arg-type]
    for pause in (20, 40, 60, 60):
        with resident.expect_event("requestfailed"):
            submit(resident) if pause == 20 else resident.clock.run_for(1000)
        expect(resident.get_by_role("status")).to_have_text(KEPT)
        resident.clock.run_for((pause - 1) * 1000)
    resident.unroute(is_sending)
    resident.clock.run_for(1000)
    assert receipt_on(resident)
    assert slots(resident) == {}
    assert count_submissions(live_evaluator, live_site) == before + 1


def test_what_was_kept_is_sent_when_the_phone_is_back_on_line(
    live_phone: OpenPhone, live_card: NextCard
) -> None:
    resident = live_phone()
    resident.goto(live_card())
    tick(resident)
    resident.context.set_offline(True)
    submit(resident)
    expect(resident.get_by_role("status")).to_have_text(KEPT)
    resident.context.set_offline(False)
    assert receipt_on(resident)


@pytest.mark.parametrize("cut", [drop, lose_reply], ids=["before storing", "after storing"])
def test_what_was_kept_is_sent_when_the_card_is_opened_again(
    cut: object,
    live_phone: OpenPhone,
    live_site: Site,
    live_evaluator: Page,
) -> None:
    before = count_submissions(live_evaluator, live_site)
    resident = live_phone()
    poster = live_site.url(live_site.addresses.poster)
    resident.goto(poster)
    tick(resident)
    resident.route(is_sending, cut)  # type: ignore[arg-type]
    submit(resident)
    expect(resident.get_by_role("status")).to_have_text(KEPT)
    resident.unroute(is_sending)
    resident.goto(poster)
    assert receipt_on(resident)
    assert count_submissions(live_evaluator, live_site) == before + 1


@pytest.mark.parametrize(
    "reply",
    [{"status": 503}, {"status": 429}, {"status": 200, "body": "please sign in to this network"}],
    ids=["busy", "too many", "another network's page"],
)
def test_only_a_receipt_that_names_the_key_ends_the_keeping(
    reply: dict[str, object], live_phone: OpenPhone, live_card: NextCard, live_site: Site
) -> None:
    resident = live_phone()
    card = live_card()
    resident.goto(card)
    tick(resident)
    resident.route(is_sending, lambda route: route.fulfill(**reply))
    submit(resident)
    expect(resident.get_by_role("status")).to_have_text(KEPT)
    assert list(slots(resident)) == ["minping" + card.removeprefix(live_site.base_url)]


def test_a_phone_that_keeps_nothing_says_so_and_sends_all_the_same(
    live_phone: OpenPhone, live_card: NextCard
) -> None:
    resident = live_phone()
    resident.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') }"
    )
    resident.goto(live_card())
    tick(resident)
    resident.context.set_offline(True)
    submit(resident)
    expect(resident.get_by_role("status")).to_have_text(re.compile("请不要关闭本页"))
    expect(resident.get_by_role("link", name="清除本机已填内容", exact=True)).to_be_hidden()
    resident.context.set_offline(False)
    assert receipt_on(resident)


def test_a_phone_that_forbids_storage_works_all_the_same(
    live_phone: OpenPhone, live_card: NextCard
) -> None:
    resident = live_phone()
    resident.add_init_script(
        "Object.defineProperty(window, 'localStorage', "
        "{ get() { throw new DOMException('no', 'SecurityError') } })"
    )
    resident.goto(live_card())
    tick(resident)
    submit(resident)
    assert receipt_on(resident)


def test_a_spent_card_shows_the_servers_own_page(
    live_phone: OpenPhone, live_card: NextCard
) -> None:
    card = live_card()
    phones = [live_phone(), live_phone(phone(scripts=False))]
    for one in phones:
        one.goto(card)
        tick(one)
    submit(phones[1])
    assert receipt_on(phones[1])
    submit(phones[0])
    expect(phones[0].get_by_role("heading", name="这张卡不能用")).to_be_visible()


def test_faults_keep_what_was_chosen_on_the_phone_too(
    live_phone: OpenPhone, live_site: Site
) -> None:
    resident = live_phone()
    poster = live_site.url(live_site.addresses.poster)
    resident.goto(poster)
    tick(resident, FIRST_FIVE)
    submit(resident)
    expect(resident.get_by_role("alert")).to_be_focused()
    tick(resident, ["q5-fair"])
    resident.goto(poster)
    expect_ticked(resident, (*FIRST_FIVE, "q5-fair"))


def test_a_voice_reads_a_question_where_the_phone_has_a_chinese_one(
    live_phone: OpenPhone, live_site: Site
) -> None:
    resident = live_phone()
    poster = live_site.url(live_site.addresses.poster)
    resident.goto(poster)
    expect(resident.get_by_role("button", name="朗读")).to_have_count(0)
    # Chromium on a test machine has no voice: give it one that writes down what it is to say.
    resident.add_init_script(
        """
        const said = [];
        Object.defineProperty(window, "said", { value: said });
        Object.defineProperty(window, "speechSynthesis", { value: {
          getVoices: () => [{ lang: "en-US" }, { lang: "zh-CN" }],
          cancel() {}, speak(one) { said.push([one.text, one.lang]); } } });
        window.SpeechSynthesisUtterance = function (text) { this.text = text; };
        """
    )
    resident.goto(poster)
    expect(resident.get_by_role("button", name="朗读")).to_have_count(13)
    resident.get_by_role("group", name="3. ").get_by_role("button", name="朗读").tap()
    ((text, language),) = resident.evaluate("said")
    assert text.startswith("3. 您是否会经常利用")
    assert text.endswith("经常。偶尔。没有")
    assert language == "zh-CN"
