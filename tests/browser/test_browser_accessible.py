"""What a screen reader and weak eyes need, until axe-core looks too."""

import re
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPhone
from tests.browser.helpers import Site, submit

pytestmark = pytest.mark.browser

RESIDENTS = ("form", "faults", "start", "start fault", "unusable")


class Painted(NamedTuple):
    """A piece of text with the colours that it is painted in, as CSS writes them."""

    text: str
    colour: str
    background: str


def visit(page: Page, site: Site, kind: str) -> None:
    paths = {"start": "/", "start fault": "/?code=12", "unusable": "/s/0000000000000000"}
    page.goto(site.url(paths.get(kind, site.addresses.poster)))
    if kind == "faults":
        submit(page)
        expect(page.get_by_role("alert")).to_be_visible()


def outline_faults(page: Page) -> list[str]:
    """Return what is wrong with language, landmarks, headings, names and ids."""
    found: list[str] = page.evaluate(
        """() => {
          const faults = [], all = (css) => [...document.querySelectorAll(css)];
          if (document.documentElement.lang !== "zh-CN") faults.push("lang");
          if (all("main").length !== 1) faults.push("not one main");
          if (all("h1").length !== 1) faults.push("not one h1");
          let level = 0;
          for (const heading of all("main :is(h1, h2, h3, h4, h5, h6)")) {
            const next = Number(heading.tagName[1]);
            if (next > level + 1 && !heading.closest("[role=alert]"))
              faults.push(`${heading.tagName} after h${level}: ${heading.innerText}`);
            level = next;
          }
          const ids = all("[id]").map((one) => one.id);
          if (new Set(ids).size !== ids.length) faults.push("an id twice");
          for (const one of all("input:not([type=hidden]), select, textarea"))
            if (!one.labels || !one.labels.length || !one.labels[0].innerText.trim())
              faults.push(`no label: ${one.name}`);
          for (const one of all("a, button"))
            if (!(one.innerText.trim() || one.ariaLabel)) faults.push(`no name: ${one.outerHTML}`);
          for (const one of all("img")) if (!one.alt) faults.push(`no alt: ${one.src}`);
          for (const one of all("fieldset"))
            if (one.firstElementChild?.tagName !== "LEGEND") faults.push(`no legend: ${one.id}`);
          for (const one of all("table"))
            if (!one.querySelector("th[scope]")) faults.push("a table without headings");
          for (const one of all("[aria-describedby]"))
            if (!document.getElementById(one.getAttribute("aria-describedby")))
              faults.push(`describedby leads nowhere: ${one.outerHTML}`);
          return faults;
        }"""
    )
    return found


def painted(page: Page) -> set[Painted]:
    """Return every piece of text with its colour and the nearest background behind it."""
    found: list[list[str]] = page.evaluate(
        """() => [...document.querySelectorAll("body *")]
          .filter((one) => [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
          .map((one) => {
            let behind = one;
            const paint = (element) => getComputedStyle(element).backgroundColor;
            while (paint(behind) === "rgba(0, 0, 0, 0)" && behind.parentElement)
              behind = behind.parentElement;
            return [one.innerText.slice(0, 20), getComputedStyle(one).color, paint(behind)];
          })"""
    )
    return {Painted(*one) for one in found}


def contrast(colour: str, background: str) -> float:
    """Return the contrast ratio of two opaque colours (WCAG 2.2, 1 to 21)."""
    lighter, darker = sorted((luminance(colour), luminance(background)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)]
    assert len(channels) == 3, f"{colour} is not opaque"
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("rgb(0, 0, 0)", "rgb(255, 255, 255)") == pytest.approx(21)


@pytest.mark.parametrize("kind", RESIDENTS)
def test_a_residents_page_is_built_for_screen_readers_and_weak_eyes(
    kind: str, live_phone: OpenPhone, live_site: Site
) -> None:
    page = live_phone()
    visit(page, live_site, kind)
    assert outline_faults(page) == []
    weak = [one for one in painted(page) if contrast(one.colour, one.background) < 7]
    assert weak == []


def test_a_fault_is_read_out_with_its_question(live_phone: OpenPhone, live_site: Site) -> None:
    page = live_phone()
    visit(page, live_site, "faults")
    group = page.get_by_role("group", name=re.compile(r"^3\. "))
    assert group.get_attribute("aria-describedby") == "q3-m"
    assert page.locator("#q3-m").inner_text() == "错误：第 3 题还没有选。"


@pytest.mark.parametrize(
    "path",
    [
        "/staff/sign-in",
        "/field/",
        "/field/surveys/2",
        "/field/batches/2/cards/1",
        "/desk/",
        "/desk/surveys/new",
        "/desk/surveys/1",
        "/desk/surveys/1/rates",
        "/desk/surveys/1/tables",
        "/desk/questionnaires/beian-2020-fielded",
    ],
)
def test_a_staff_page_is_built_for_screen_readers(
    path: str, live_evaluator: Page, live_site: Site
) -> None:
    live_evaluator.goto(live_site.url(path))
    assert outline_faults(live_evaluator) == []
