"""axe-core finds nothing to complain of on any page that the public can see."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.browser.conftest import NextCard, OpenPhone
from tests.browser.helpers import Site, receipt_on, submit, tick

pytestmark = pytest.mark.browser

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
SIZES = pytest.mark.parametrize("size", ["", "l"], ids=["usual", "large"])


def violations(page: Page) -> list[str]:
    options = {"runOnly": {"type": "tag", "values": RULES}}
    found = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


@SIZES
@pytest.mark.parametrize("language", ["zh-Hans", "en", "ar"])
def test_the_form_and_its_faults(
    language: str, size: str, live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone()
    page.goto(live_site.url(f"{live_site.every_kind}?lang={language}&size={size}"))
    page.locator("[id=went-yes]").check(force=True)
    assert violations(page) == []
    page.locator("[name=_end]").tap()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []


End = Callable[[Page, Site, str], None]


def start_fault(page: Page, site: Site, size: str) -> None:
    page.goto(site.url(f"/?code=12&size={size}"))


def kept(page: Page, site: Site, size: str) -> None:
    page.goto(site.url(f"{site.addresses.poster}?size={size}"))
    tick(page)
    page.context.set_offline(True)
    submit(page)
    expect(page.get_by_role("status")).to_have_text("已保存在手机上，有信号时自动发送")


def restored(page: Page, site: Site, size: str) -> None:
    page.goto(site.url(f"{site.addresses.poster}?size={size}"))
    tick(page, ["q1-aware"])
    page.reload()
    expect(page.locator("#restored")).to_be_visible()


def conflict(page: Page, site: Site, size: str) -> None:
    path = site.url(f"{site.addresses.poster}?size={size}")
    page.goto(path)
    old = {name: page.locator(f"[name={name}]").input_value() for name in ("key", "_token")}
    tick(page)
    submit(page)
    assert receipt_on(page)
    page.goto(path)
    for name, value in old.items():
        page.locator(f"[name={name}]").evaluate("(field, value) => { field.value = value }", value)
    tick(page)
    tick(page, ["q1-unaware"])
    submit(page)
    expect(page.get_by_role("heading", name="已经提交过")).to_be_visible()


@SIZES
@pytest.mark.parametrize("end", [start_fault, kept, restored, conflict])
def test_the_states_on_the_way(end: End, size: str, live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    end(page, live_site, size)
    assert violations(page) == []


@SIZES
@pytest.mark.parametrize("path", ["/", "/s/0000000000000000", "/nowhere"])
def test_the_pages_without_a_form(
    path: str, size: str, live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone()
    for language in ("zh-Hans", "en"):
        page.goto(live_site.url(f"{path}?size={size}&lang={language}"))
        assert violations(page) == []


@SIZES
def test_the_receipt(size: str, live_phone: OpenPhone, live_card: NextCard) -> None:
    page = live_phone()
    page.goto(f"{live_card()}?size={size}")
    tick(page)
    submit(page)
    assert receipt_on(page)
    assert violations(page) == []


def test_signing_in(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    page.goto(live_site.url("/staff/sign-in"))
    assert violations(page) == []
