"""A running product, a browser, and the steps that a person takes, for tests and pictures."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TypedDict

import pypdfium2  # type: ignore[import-untyped]  # no stubs and no types of its own
import zxingcpp
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    Response,
    ViewportSize,
    expect,
)
from sqlalchemy.orm import Session

from app import create_app
from app.config import PROJECT, read_settings
from app.db import reading, transaction
from app.demo import EVALUATOR, FIELDWORKER, PASSWORD, DemoAddresses, find_addresses
from app.models import SurveyState
from app.services import publishing
from app.services.drawing import font_path
from app.services.publishing import NoticePlan, SurveyPlan
from surveys.reading import parse_toml

CHROMIUM = Path("/usr/bin/chromium")
EVERY_KIND = PROJECT / "tests/surveys/every_kind.toml"
# No sandbox inside containers; the rest keeps the browser from calling home.
_LAUNCH = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NARROW = ViewportSize(width=360, height=740)
WIDE = ViewportSize(width=1280, height=800)
_START_LIMIT = 90.0
_POLL = 0.1

# One answer to each of the twelve questions, two to the one that takes several: the ids of rows.
CHOICES = (
    "q1-aware",
    "q2-broadcast",
    "q2-home_visit",
    "q3-often",
    "q4-met",
    "q5-fair",
    "q6-satisfied",
    "q7-mostly_satisfied",
    "q8-unsure",
    "q9-slightly_less",
    "q10-no_change",
    "q11-strong",
    "q12-much_improved",
)

# Runs before every page: a violation of the page's own policy becomes an error that we see.
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`${event.effectiveDirective} refused ${event.blockedURI || "inline"}`));
"""


class ContextOptions(TypedDict):
    """What `Browser.new_context` is told about a device."""

    viewport: ViewportSize
    locale: str
    is_mobile: bool
    has_touch: bool
    java_script_enabled: bool
    device_scale_factor: float


def phone(
    *, viewport: ViewportSize = NARROW, scripts: bool = True, scale: float = 1
) -> ContextOptions:
    """Return a resident's phone."""
    return ContextOptions(
        viewport=viewport,
        locale="zh-CN",
        is_mobile=True,
        has_touch=True,
        java_script_enabled=scripts,
        device_scale_factor=scale,
    )


def desktop() -> ContextOptions:
    """Return an office computer."""
    return ContextOptions(
        viewport=WIDE,
        locale="zh-CN",
        is_mobile=False,
        has_touch=False,
        java_script_enabled=True,
        device_scale_factor=1,
    )


@dataclass(frozen=True, slots=True)
class Site:
    """The running product with its demo data."""

    base_url: str
    addresses: DemoAddresses
    every_kind: str  # the poster of a survey that asks in every way

    def url(self, path: str) -> str:
        """Return the full address of a path."""
        return self.base_url + path

    def survey(self, rest: str = "") -> str:
        """Return an address of the evaluator's pages of the open survey."""
        return self.url(f"/desk/surveys/{self.addresses.open_survey}{rest}")


@dataclass  # without slots: Playwright keeps its wrapper of a method on the object
class Watch:
    """Sees every request and every complaint of the pages that it follows."""

    base_url: str
    requests: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def follow(self, context: BrowserContext) -> None:
        """Watch every page of this context."""
        context.set_default_timeout(15_000)
        context.add_init_script(_REPORT_VIOLATIONS)
        context.on("request", self._saw_request)
        context.on("response", self._saw_response)
        context.on("console", self._saw_message)
        context.on("weberror", lambda error: self.troubles.append(str(error.error)))

    def _saw_request(self, request: Request) -> None:
        self.requests.append(request.url)
        if not request.url.startswith((self.base_url + "/", "data:")):
            self.troubles.append(f"asked another server: {request.url}")

    def _saw_response(self, response: Response) -> None:
        # A refusal of what the script sent is shown as a document right after.
        if response.status >= 400 and response.request.resource_type not in {"document", "xhr"}:
            self.troubles.append(f"{response.status} {response.url}")

    def _saw_message(self, message: ConsoleMessage) -> None:
        # A page that says what is wrong has a status of 4xx, and Chromium calls that an error;
        # of everything else, `_saw_response` sees the status.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.troubles.append(f"{message.text} ({message.location['url']})")


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Make the demo data in `folder` and serve it with the real server until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "MINPING_MODE": "demo",
        "MINPING_INSTANCE": str(folder / "instance"),
        "MINPING_BASE_URL": f"http://127.0.0.1:{port}",
    }
    addresses, every_kind = _load_demo(settings)
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "serve", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=PROJECT, env=_environment(settings), stdout=log, stderr=log
        )
        try:
            site = Site(settings["MINPING_BASE_URL"], addresses, every_kind)
            _wait_until_healthy(site, server, folder / "server.log")
            yield site
        finally:
            server.terminate()
            server.wait(timeout=30)


def _environment(settings: dict[str, str]) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MINPING_", "TRUSTED_PROXIES", "DATABASE_URL", "REDIS_URL"))
    }
    return inherited | settings


def _load_demo(settings: dict[str, str]) -> tuple[DemoAddresses, str]:
    # In this process: a command's start costs seconds, most of them for pandas.
    app = create_app(read_settings(settings))
    with app.app_context():
        for arguments in (["db", "upgrade"], ["demo", "load"]):
            outcome = app.test_cli_runner().invoke(args=arguments)
            if outcome.exit_code != 0:
                raise RuntimeError(outcome.output) from outcome.exception
        with reading() as session:
            addresses = find_addresses(session, app.extensions["minping"].keys)
        assert addresses is not None
        with transaction() as session:
            return addresses, _make_every_kind(session, addresses)


def _make_every_kind(session: Session, addresses: DemoAddresses) -> str:
    """Make a survey of every kind of question; return the path of its poster."""
    like = publishing.find_survey(session, addresses.open_survey)
    notice = NoticePlan(
        **{name: getattr(like.notice, name) for name in publishing.NOTICE_TEXTS},
        erase_at=like.notice.erase_at,
    )
    plan = SurveyPlan("每种题型", like.opens_at, like.closes_at, notice)
    asked = parse_toml(EVERY_KIND.read_text(encoding="utf-8"), "every_kind")
    survey = publishing.make_survey(session, asked, like.area, plan)
    publishing.move_survey(session, survey, SurveyState.OPEN)
    return f"/p/{publishing.load_posters(session, survey)[0].slug}"


def _wait_until_healthy(site: Site, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_LIMIT
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(site.url("/healthz"), timeout=5):  # noqa: S310 - loopback
                return
        except urllib.error.URLError:
            time.sleep(_POLL)
    raise RuntimeError(f"the server did not start: {log.read_text(encoding='utf-8')}")


@contextmanager
def running_browser(playwright: Playwright, folder: Path) -> Iterator[Browser]:
    """Start Debian's Chromium with Chinese glyphs from the font that the product prints with."""
    fonts = folder / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        '<include ignore_missing="yes">/etc/fonts/fonts.conf</include>'
        f"<dir>{font_path().parent}</dir><cachedir>{folder / 'fonts'}</cachedir>"
        '<match><edit name="family" mode="append" binding="strong">'
        "<string>Noto Sans SC</string></edit></match></fontconfig>",
        encoding="utf-8",
    )
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=_LAUNCH,
        env={**os.environ, "FONTCONFIG_FILE": str(fonts)},
    )
    try:
        yield browser
    finally:
        browser.close()


def sign_in(page: Page, site: Site, name: str) -> None:
    """Sign in as one of the demo's staff and arrive where their work begins."""
    page.goto(site.url("/staff/sign-in"))
    page.get_by_label("用户名").fill(name)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(site.url("/field/" if name == FIELDWORKER else "/desk/"))


def sign_in_evaluator(page: Page, site: Site) -> None:
    """Sign in as the evaluator."""
    sign_in(page, site, EVALUATOR)


def sign_in_fieldworker(page: Page, site: Site) -> None:
    """Sign in as the fieldworker."""
    sign_in(page, site, FIELDWORKER)


def decoded_cards(sheet: bytes, page: int = 0) -> list[str]:
    """Read the addresses on one page of a printed sheet as a phone would, in reading order."""
    document = pypdfium2.PdfDocument(BytesIO(sheet))
    image = document[page].render(scale=150 / 72).to_pil()
    document.close()
    found = zxingcpp.read_barcodes(image)
    corners = {one.text: one.position.top_left for one in found}
    # Rows are 54 mm apart; ten pixels of slack put the cards of a row side by side.
    return sorted(corners, key=lambda text: (corners[text].y // 200, corners[text].x))


def answer(page: Page, choices: Sequence[str] = CHOICES) -> None:
    """Choose answers by touching their rows, as a thumb does."""
    for choice in choices:
        page.locator(f"label:has(#{choice})").tap()


def tick(page: Page, choices: Sequence[str] = CHOICES) -> None:
    """Choose answers at once, where the test is about what comes after."""
    page.evaluate("(ids) => ids.forEach((id) => document.getElementById(id).click())", [*choices])


def submit(page: Page) -> None:
    """Send the form, whatever comes back."""
    page.get_by_role("button", name="提交").tap()


def receipt_on(page: Page) -> str:
    """Wait for the page that says thank you, and return the receipt on it."""
    expect(page.get_by_role("heading", name="谢谢您，答卷已收到")).to_be_visible()
    receipt = page.locator("[data-receipt]").get_attribute("data-receipt")
    assert receipt
    return receipt


def count_submissions(page: Page, site: Site) -> int:
    """Return how many valid submissions the evaluator's page shows for the open survey."""
    page.goto(site.survey())
    heading = page.get_by_role("heading", name="有效答卷").inner_text()
    return int("".join(filter(str.isdecimal, heading)))


def sideways(page: Page) -> list[str]:
    """Return what reaches beyond the width of the screen; tables that scroll themselves may."""
    found: list[str] = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          const beyond = [...document.body.querySelectorAll("*")].filter((one) =>
            !one.closest(".table-responsive > *") &&
            one.getBoundingClientRect().right > width + 0.5);
          const page = document.documentElement.scrollWidth;
          if (page > width) beyond.push(document.documentElement);
          return beyond.map((one) => `${one.tagName} ${one.className} ${
            Math.round(one.getBoundingClientRect().right)} ${page} > ${width}`);
        }"""
    )
    assert page.viewport_size
    inner = page.evaluate("document.documentElement.clientWidth")
    # A phone widens its page to hold what does not fit, and then nothing seems to overflow.
    if inner > page.viewport_size["width"]:
        found.append(f"the page made itself {inner} wide")
    return found
