"""Pictures of every page and state: `python -m tests.browser.screenshots [FOLDER]`.

Without FOLDER the README's two pictures go to docs/images and all others to a temporary folder.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from app.config import PROJECT
from tests.browser.helpers import (
    ContextOptions,
    Site,
    Watch,
    decoded_cards,
    desktop,
    phone,
    receipt_on,
    running_browser,
    running_site,
    sign_in_evaluator,
    sign_in_fieldworker,
    tick,
)

PICTURES = PROJECT / "docs" / "images"
README_SIZES = {"phone.png": 150_000, "score-sheet.png": 250_000}
_COLOURS = 128


@dataclass(frozen=True, slots=True)
class Studio:
    """Where pictures are taken."""

    browser: Browser
    site: Site
    watch: Watch
    cards: Iterator[str]
    score_sheet: str

    def page(self, options: ContextOptions) -> Page:
        """Open a page on a device of its own."""
        context = self.browser.new_context(**options)
        self.watch.follow(context)
        return context.new_page()


Shot = Callable[[Studio, Page], None]


def at(path: str) -> Shot:
    """Return a shot of the page at this path."""

    def visit(studio: Studio, page: Page) -> None:
        page.goto(studio.site.url(path))

    return visit


def form(studio: Studio, page: Page) -> None:
    """The empty form."""
    page.goto(studio.site.url(studio.site.addresses.poster))


def form_faults(studio: Studio, page: Page) -> None:
    """The form with two questions left out."""
    form(studio, page)
    tick(page, ["q1-aware", "q4-met", "q5-fair", "q6-satisfied", "q8-unsure"])
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_role("alert")).to_be_visible()


def fault_followed(studio: Studio, page: Page) -> None:
    """What a tap on the summary's second link leads to."""
    form_faults(studio, page)
    page.get_by_role("alert").get_by_role("link").nth(1).click()


def receipt(studio: Studio, page: Page) -> None:
    """The thank-you page."""
    page.goto(next(studio.cards))
    tick(page)
    page.get_by_role("button", name="提交").click()
    receipt_on(page)


def large(shot: Shot) -> Shot:
    """Return a shot in large type, reached as a person does."""

    def grow(studio: Studio, page: Page) -> None:
        shot(studio, page)
        page.get_by_role("link", name="大字").click()
        expect(page.locator("html.l")).to_be_attached()

    return grow


def form_large_faults(studio: Studio, page: Page) -> None:
    """The form in large type with everything left out."""
    page.goto(studio.site.url(f"{studio.site.addresses.poster}?size=l"))
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_role("alert")).to_be_visible()


def kept(studio: Studio, page: Page) -> None:
    """A full form that finds no signal."""
    form(studio, page)
    tick(page)
    page.context.set_offline(True)
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_role("status")).to_contain_text("已保存在手机上")


def restored(studio: Studio, page: Page) -> None:
    """A form that was half filled in before."""
    form(studio, page)
    tick(page, ["q1-aware", "q3-often"])
    page.reload()
    expect(page.locator("#restored")).to_be_visible()


def every_kind(language: str) -> Shot:
    """Return a shot of every kind of question, as far as it is asked."""

    def visit(studio: Studio, page: Page) -> None:
        page.goto(studio.site.url(f"{studio.site.every_kind}?lang={language}"))
        for each in ("went-yes", "why-pressure", "overall-2", "parts.staff-bad"):
            page.locator(f"label:has([id='{each}'])").click()
        page.locator("[name='wishes.hours']").select_option("1")

    return visit


def every_kind_faults(studio: Studio, page: Page) -> None:
    """Every kind of question, each with something wrong."""
    every_kind("zh-Hans")(studio, page)
    page.locator("[name=times]").fill("很多")
    page.locator("[name='why.other']").fill("取药")
    page.locator("[name='wishes.drugs']").select_option("1")
    page.locator("[name=_end]").click()
    expect(page.get_by_role("alert")).to_be_visible()


def conflict(studio: Studio, page: Page) -> None:
    """The same form sent twice with different answers."""
    page.goto(studio.site.url(studio.site.addresses.poster))
    key, token = (page.locator(f"[name={name}]").input_value() for name in ("key", "_token"))
    tick(page)
    page.get_by_role("button", name="提交").click()
    receipt_on(page)
    page.goto(studio.site.url(studio.site.addresses.poster))
    for name, value in (("key", key), ("_token", token)):
        page.locator(f"[name={name}]").evaluate("(field, value) => { field.value = value }", value)
    tick(page)
    tick(page, ["q1-unaware"])
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_role("heading", name="已经提交过")).to_be_visible()


def survey_not_open(studio: Studio, page: Page) -> None:
    """A poster of a survey that is paused."""
    evaluator = studio.page(desktop())
    sign_in_evaluator(evaluator, studio.site)
    evaluator.goto(studio.site.url(f"/desk/surveys/{studio.site.addresses.open_survey}"))
    evaluator.get_by_role("button", name="暂停").click()
    page.goto(evaluator.locator("a[href^='/p/']").first.inner_text())
    evaluator.get_by_role("button", name="开放", exact=True).click()
    evaluator.context.close()


def sign_in_fault(studio: Studio, page: Page) -> None:
    """A wrong password."""
    page.goto(studio.site.url("/staff/sign-in"))
    page.get_by_label("用户名").fill("diaocha")
    page.get_by_label("密码").fill("wrong")
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_label("密码")).to_have_value("")


def new_survey_faults(studio: Studio, page: Page) -> None:
    """A new survey without a name."""
    page.goto(studio.site.url("/desk/surveys/new"))
    page.get_by_role("button", name="保存为草稿").click()
    expect(page.get_by_text("请填写调查名称。")).to_be_visible()


def scores(studio: Studio, page: Page) -> None:
    """The replayed survey's score sheet."""
    page.goto(studio.site.url(studio.score_sheet))


RESIDENTS: dict[str, Shot] = {
    "form": form,
    "form-faults": form_faults,
    "form-fault-followed": fault_followed,
    "form-large": large(form),
    "form-large-faults": form_large_faults,
    "form-kept": kept,
    "form-restored": restored,
    "every-kind": every_kind("zh-Hans"),
    "every-kind-en": every_kind("en"),
    "every-kind-ar": every_kind("ar"),
    "every-kind-faults": every_kind_faults,
    "receipt-large": large(receipt),
    "start-large": large(at("/")),
    "unusable-card-large": large(at("/s/0000000000000000")),
    "receipt": receipt,
    "conflict": conflict,
    "start": at("/"),
    "start-fault": at("/?code=1234"),
    "unusable-card": at("/s/0000000000000000"),
    "survey-not-open": survey_not_open,
    "not-found": at("/nowhere"),
    "sign-in": at("/staff/sign-in"),
    "sign-in-fault": sign_in_fault,
}
EVALUATORS: dict[str, Shot] = {
    "desk-home": at("/desk/"),
    "desk-new-survey": at("/desk/surveys/new"),
    "desk-new-survey-faults": new_survey_faults,
    "desk-survey-open": at("/desk/surveys/2"),
    "desk-survey-closed": at("/desk/surveys/1"),
    "desk-rates-open": at("/desk/surveys/2/rates"),
    "desk-rates-closed": at("/desk/surveys/1/rates"),
    "desk-tables": at("/desk/surveys/1/tables"),
    "desk-score-sheet": scores,
    "desk-questionnaire": at("/desk/questionnaires/beian-2020-fielded"),
    "desk-not-found": at("/desk/surveys/99"),
}
FIELDWORKERS: dict[str, Shot] = {
    "field-home": at("/field/"),
    "field-survey": at("/field/surveys/2"),
    "field-card": at("/field/batches/2/cards/2"),
    "field-refused": at("/desk/"),
}


def take_every_state(studio: Studio, folder: Path) -> None:
    """Take every page and state on a phone and on a desk: the screen, and the whole page."""
    audiences = ((RESIDENTS, None), (FIELDWORKERS, sign_in_fieldworker))
    for device, options in (("360", phone()), ("1280", desktop())):
        for shots, sign_in in (*audiences, (EVALUATORS, sign_in_evaluator)):
            page = studio.page(options)
            if sign_in is not None:
                sign_in(page, studio.site)
            for name, shot in shots.items():
                shot(studio, page)
                page.screenshot(path=folder / f"{name}-{device}.png")
                page.screenshot(path=folder / f"{name}-{device}-whole.png", full_page=True)
                if sign_in is None:
                    page.context.clear_cookies()
                    page.evaluate("localStorage.clear()")
                    page.goto("about:blank")
                    page.context.set_offline(False)
            page.context.close()


def take_phone(studio: Studio) -> bytes:
    """The resident's form with two answers chosen."""
    page = studio.page(phone(scale=2))
    form(studio, page)
    page.locator("#q3-often").click()
    page.locator("#q4-mostly_met").click()
    page.evaluate("document.activeElement.blur()")
    scroll_to(page.get_by_role("group", name="3. "), 8)
    picture = page.screenshot()
    page.context.close()
    return picture


def take_score_sheet(studio: Studio) -> bytes:
    """The score sheet at the indicators that the survey feeds."""
    page = studio.page(desktop())
    sign_in_evaluator(page, studio.site)
    scores(studio, page)
    scroll_to(page.locator("#C28"), 0)
    picture = page.screenshot()
    page.context.close()
    return picture


def scroll_to(target: Locator, above: int) -> None:
    """Bring an element to this many pixels below the upper edge."""
    target.evaluate(
        "(one, above) => window.scrollTo(0, one.getBoundingClientRect().top + scrollY - above)",
        above,
    )


def write_readme_pictures(studio: Studio, folder: Path) -> None:
    """Write the README's pictures with few colours, and refuse them when they grow too large."""
    for name, picture in (
        ("phone.png", take_phone(studio)),
        ("score-sheet.png", take_score_sheet(studio)),
    ):
        image = Image.open(BytesIO(picture)).convert("RGB").quantize(_COLOURS)
        image.save(folder / name, optimize=True)
        size = (folder / name).stat().st_size
        if size > README_SIZES[name]:
            raise SystemExit(f"{name} has {size} bytes; the README allows {README_SIZES[name]}")


def open_studio(browser: Browser, site: Site) -> Studio:
    """Get what the shots need: fresh cards and the address of the score sheet."""
    watch = Watch(site.base_url)
    staff = browser.new_context(**phone()).new_page()
    sign_in_fieldworker(staff, site)
    sheet = staff.context.request.get(site.url("/field/batches/1/sheet.pdf")).body()
    desk = browser.new_context(**desktop()).new_page()
    sign_in_evaluator(desk, site)
    desk.goto(site.url(f"/desk/surveys/{site.addresses.replayed_survey}/rates"))
    score_sheet = desk.locator("a[href*='/scores/']").first.get_attribute("href") or ""
    staff.context.close()
    desk.context.close()
    return Studio(browser, site, watch, iter(decoded_cards(sheet)), score_sheet)


def main(arguments: list[str]) -> None:
    """Take all pictures and say where they are."""
    working = Path(tempfile.mkdtemp(prefix="minping-screenshots-"))
    folder = Path(arguments[0]) if arguments else working
    readme = folder if arguments else PICTURES
    for each in (folder, readme):
        each.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        running_site(Path(scratch)) as site,
        sync_playwright() as playwright,
        running_browser(playwright, Path(scratch)) as browser,
    ):
        studio = open_studio(browser, site)
        write_readme_pictures(studio, readme)
        take_every_state(studio, folder)
    for trouble in studio.watch.troubles:
        sys.stderr.write(f"{trouble}\n")
    sys.stdout.write(f"README: {readme}\nall pages: {folder}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
