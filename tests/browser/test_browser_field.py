"""A fieldworker's day on a phone of 360×740: target, show, issue, scan, see what came back."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPhone
from tests.browser.helpers import Site, receipt_on, sideways, submit, tick

pytestmark = pytest.mark.browser

# A camera that sees one card after the other: this browser has no eyes of its own.
_CAMERA = """
window.BarcodeDetector = class {
  static async getSupportedFormats() { return ["qr_code"]; }
  async detect() { return (window.seen || []).map((rawValue) => ({ rawValue })); }
};
navigator.mediaDevices.getUserMedia = async () => document.createElement("canvas").captureStream();
"""


def fits(page: Page) -> bool:
    """Say whether the page needs no sideways scroll, and its main button is under the thumb."""
    page.wait_for_load_state()  # a heading can be there before the style sheet is
    assert sideways(page) == []
    button = page.locator(".within-reach").last
    return button.count() == 0 or (button.bounding_box() or {"y": 0})["y"] < 740


def set_target(evaluator: Page, site: Site) -> None:
    evaluator.goto(site.survey("/cards"))
    evaluator.get_by_label("片区").select_option(label="忠门镇")
    evaluator.get_by_label("调查方式").select_option(label="扫码")
    evaluator.get_by_label("目标份数").fill("400")
    evaluator.get_by_role("button", name="设定").click()
    expect(evaluator.get_by_text("累计")).to_be_visible()


def make_batch(page: Page, site: Site) -> str:
    page.goto(site.url(f"/field/surveys/{site.addresses.open_survey}"))
    page.get_by_label("发到哪个片区").select_option(label="忠门镇")
    page.get_by_label("张数").fill("6")
    page.get_by_label("领卡人或存放处").fill("村委会")
    page.get_by_role("button", name="制作").tap()
    page.get_by_role("link", name="发出、收回、看逐张").last.tap()
    expect(page.get_by_role("heading", name="逐张情况")).to_be_visible()
    assert fits(page)
    return page.url


def code_on(page: Page) -> str:
    return "".join(page.locator(".code").inner_text().split())


def test_a_fieldworkers_day(
    live_fieldworker: Page, live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_fieldworker
    set_target(live_evaluator, live_site)
    batch = make_batch(page, live_site)

    page.goto(live_site.url("/field/"))
    expect(page.get_by_text("忠门镇 · 扫码：今天")).to_be_visible()
    assert fits(page)

    page.goto(f"{batch}/cards/1")
    assert fits(page)
    code = code_on(page)
    page.get_by_role("button", name="登记为已发出").tap()
    expect(page.get_by_role("status")).to_contain_text("登记为“已发出” 1 张（编号 1）")

    resident = live_phone()
    resident.goto(live_site.url(f"/s/{code}"))
    tick(resident)
    submit(resident)
    assert receipt_on(resident)

    page.goto(f"{batch}/cards/2")
    second = code_on(page)
    page.add_init_script(_CAMERA)
    page.goto(live_site.url("/field/scan"))
    assert fits(page)
    page.evaluate("(text) => { window.seen = [text]; }", live_site.url(f"/s/{second}"))
    page.get_by_role("button", name="打开摄像头扫卡").tap()
    expect(page.get_by_label("卡片号码")).to_have_value(f"{second}\n")
    expect(page.locator("#said")).to_contain_text("这张已经扫过")
    page.evaluate("(text) => { window.seen = [text]; }", live_site.url(f"/s/{code}"))
    expect(page.get_by_label("卡片号码")).to_have_value(f"{second}\n{code}\n")
    page.get_by_role("button", name="登记").last.tap()
    said = page.get_by_role("status").first
    expect(said).to_contain_text("登记为“已发出” 1 张（编号 2）")
    expect(said).to_contain_text("没有改动：编号 1，现在是“已答”")

    page.goto(batch)
    page.get_by_label("编号，如").fill("3-9")
    page.get_by_label("报失", exact=True).check()
    page.get_by_role("button", name="登记").tap()
    expect(page.get_by_text("看不懂或不在 1–6 之间：3-9")).to_be_visible()
    expect(page.get_by_text("报失和作废要写明理由。")).to_have_count(0)
    assert fits(page)
    page.get_by_label("编号，如").fill("2")
    page.get_by_label("理由").fill("水淹")
    page.get_by_role("button", name="登记").tap()
    expect(page.get_by_role("status")).to_contain_text("登记为“已报失” 1 张（编号 2）")
    resident.goto(live_site.url(f"/s/{second}"))
    expect(resident.get_by_role("heading", name="这张卡不能用")).to_be_visible()
    expect(page.locator("dl")).to_contain_text("已答")


def test_a_browser_without_a_detector_shows_no_camera(
    live_evaluator: Page, live_site: Site
) -> None:
    live_evaluator.goto(live_site.url("/field/scan"))
    expect(live_evaluator.get_by_label("卡片号码")).to_be_visible()
    expect(live_evaluator.get_by_role("button", name="打开摄像头扫卡")).to_be_hidden()
