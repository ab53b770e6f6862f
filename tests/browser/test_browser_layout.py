"""Pages fit a small phone, also with text twice as large, and rows are large enough for a thumb."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import NextCard, OpenPhone
from tests.browser.helpers import Site, phone, receipt_on, sideways, submit, tick

pytestmark = pytest.mark.browser

SMALLEST = ViewportSize(width=320, height=640)
NO_SUCH_CARD = "/s/0000000000000000"
STAFF_PAGES = (
    "/field/",
    "/field/surveys/2",
    "/field/batches/2/cards/1",
    "/desk/",
    "/desk/surveys/new",
    "/desk/surveys/1",
    "/desk/surveys/2",
    "/desk/surveys/1/rates",
    "/desk/surveys/2/rates",
    "/desk/surveys/1/tables",
    "/desk/questionnaires/beian-2020-fielded",
)

Visit = Callable[[Page], None]


@pytest.fixture
def residents_pages(live_site: Site, live_card: NextCard) -> dict[str, Visit]:
    """How to reach every page that a resident may see."""
    form = live_site.url(live_site.addresses.poster)

    def at(path: str) -> Visit:
        def visit(page: Page) -> None:
            page.goto(live_site.url(path))

        return visit

    def faults(page: Page) -> None:
        page.goto(form)
        submit(page)
        expect(page.get_by_role("alert")).to_be_visible()

    def receipt(page: Page) -> None:
        page.goto(live_card())
        tick(page)
        submit(page)
        assert receipt_on(page)

    return {
        "form": at(live_site.addresses.poster),
        "faults": faults,
        "receipt": receipt,
        "start": at("/"),
        "start fault": at("/?code=12"),
        "unusable": at(NO_SUCH_CARD),
    }


@pytest.mark.parametrize("kind", ["form", "faults", "receipt", "start", "start fault", "unusable"])
def test_a_residents_page_fits_the_smallest_phone_with_text_twice_as_large(
    kind: str, residents_pages: dict[str, Visit], live_phone: OpenPhone
) -> None:
    page = live_phone(phone(viewport=SMALLEST))
    residents_pages[kind](page)
    assert sideways(page) == []
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert sideways(page) == []
    page.set_viewport_size(ViewportSize(width=360, height=740))
    page.evaluate("document.documentElement.style.fontSize = ''")
    assert sideways(page) == []
    assert too_small(page) == []


def too_small(page: Page) -> list[str]:
    """Return text under 18 px, and what a thumb must hit that is under 60 px high."""
    found: list[str] = page.evaluate(
        """() => {
          const small = [];
          for (const one of document.querySelectorAll("body *")) {
            const style = getComputedStyle(one);
            const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
            if (own && parseFloat(style.fontSize) < 18)
              small.push(`${style.fontSize} ${one.innerText}`);
          }
          for (const one of document.querySelectorAll("button, label.o, input.t")) {
            const height = one.getBoundingClientRect().height;
            if (height < 60) small.push(`${height} px high: ${one.innerText || one.name}`);
          }
          return small;
        }"""
    )
    return found


def test_every_row_is_as_wide_as_its_question(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    page.goto(live_site.url(live_site.addresses.poster))
    widths: list[list[float]] = page.locator("label.o").evaluate_all(
        """(rows) => rows.map((row) => {
          const fieldset = row.closest("fieldset");
          const style = getComputedStyle(fieldset);
          return [row.getBoundingClientRect().width, fieldset.clientWidth
            - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight)];
        })"""
    )
    assert widths
    assert [row for row, content in widths if abs(row - content) > 1] == []


def test_touching_any_part_of_a_row_chooses_it(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    page.goto(live_site.url(live_site.addresses.poster))
    row = page.locator("label:has(#q1-unaware)")
    box = row.bounding_box()
    assert box
    row.tap(position={"x": box["width"] - 3, "y": 3})
    expect(page.locator("#q1-unaware")).to_be_checked()


def test_the_staffs_pages_fit_a_phone(
    live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone()
    be(live_evaluator, page, live_site)
    wide = {}
    for path in (*STAFF_PAGES, *score_sheets(live_evaluator, live_site)):
        page.goto(live_site.url(path))
        expect(page.get_by_role("main")).to_be_visible()
        wide[path] = sideways(page)
    assert {path: faults for path, faults in wide.items() if faults} == {}


@pytest.mark.parametrize("path", ["/desk/surveys/1/rates", "/desk/surveys/1/tables"])
def test_a_wide_table_scrolls_rather_than_standing_words_on_end(
    path: str, live_evaluator: Page, live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone()
    be(live_evaluator, page, live_site)
    page.goto(live_site.url(path))
    tall: list[str] = page.locator(
        ".table-responsive th[scope=row], .table-responsive td"
    ).evaluate_all(
        """(cells) => cells
          .filter((cell) => cell.getBoundingClientRect().width < 90
            && [...cell.innerText].length * 16 / cell.getBoundingClientRect().width > 4)
          .map((cell) => cell.innerText)"""
    )
    assert tall == []


def be(staff: Page, page: Page, site: Site) -> None:
    """Let another device carry on as the person who signed in on `staff`."""
    (cookie,) = [one for one in staff.context.cookies() if one.get("name") == "staff"]
    page.context.add_cookies([{"name": "staff", "value": cookie["value"], "url": site.base_url}])


def score_sheets(evaluator: Page, site: Site) -> list[str]:
    """Return the addresses of the replayed survey's score sheets."""
    evaluator.goto(site.url("/desk/surveys/1/rates"))
    links = evaluator.locator("a[href*='/scores/']").all()
    return [link.get_attribute("href") or "" for link in links]


def test_signing_in_fits_a_phone(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    page.goto(live_site.url("/staff/sign-in"))
    assert sideways(page) == []
    page.get_by_label("用户名").fill("diaocha")
    page.get_by_label("密码").fill("wrong")
    page.get_by_role("button", name="登录").tap()
    expect(page.get_by_label("密码")).to_have_value("")
    assert sideways(page) == []
