"""The product and the browser, started once; each test opens its own phones."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.helpers import (
    CHROMIUM,
    ContextOptions,
    Site,
    Watch,
    decoded_cards,
    desktop,
    phone,
    running_browser,
    running_site,
    sign_in_evaluator,
    sign_in_fieldworker,
)

NextCard = Callable[[], str]


class OpenPhone(Protocol):
    """Opens a page on a device of its own, which remembers nothing."""

    def __call__(self, device: ContextOptions | None = None) -> Page: ...


@pytest.fixture(scope="session")
def live_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="session")
def live_browser(live_folder: Path) -> Iterator[Browser]:
    if not CHROMIUM.exists():
        reason = f"no Chromium at {CHROMIUM}: apt-get install chromium"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright, running_browser(playwright, live_folder) as browser:
        yield browser


@pytest.fixture(scope="session")
def live_site(live_browser: Browser, live_folder: Path) -> Iterator[Site]:
    del live_browser  # only asked for first, so that a missing browser costs no server
    with running_site(live_folder) as site:
        yield site


@pytest.fixture(scope="session")
def live_staff_watch(live_site: Site) -> Iterator[Watch]:
    watch = Watch(live_site.base_url)
    yield watch
    assert watch.troubles == []


@pytest.fixture(scope="session")
def live_fieldworker(
    live_browser: Browser, live_site: Site, live_staff_watch: Watch
) -> Iterator[Page]:
    """The fieldworker, signed in on a phone."""
    context = live_browser.new_context(**phone())
    live_staff_watch.follow(context)
    page = context.new_page()
    sign_in_fieldworker(page, live_site)
    yield page
    context.close()


@pytest.fixture(scope="session")
def live_evaluator(
    live_browser: Browser, live_site: Site, live_staff_watch: Watch
) -> Iterator[Page]:
    """The evaluator, signed in at a desk."""
    context = live_browser.new_context(**desktop())
    live_staff_watch.follow(context)
    page = context.new_page()
    sign_in_evaluator(page, live_site)
    yield page
    context.close()


@pytest.fixture(scope="session")
def live_card(live_fieldworker: Page, live_site: Site) -> NextCard:
    """Deal unanswered cards from printed sheets; every call takes the next one."""

    def sheet(batch: int) -> bytes:
        address = live_site.url(f"/field/batches/{batch}/sheet.pdf")
        return live_fieldworker.context.request.get(address).body()

    sheets = (sheet(batch) for batch in (2, 3))
    cards = (card for each in sheets for page in (0, 1) for card in decoded_cards(each, page))
    return lambda: next(cards)


@pytest.fixture
def live_watch(live_site: Site) -> Iterator[Watch]:
    """What this test's phones asked for; whatever they complained of fails the test."""
    watch = Watch(live_site.base_url)
    yield watch
    assert watch.troubles == []


@pytest.fixture
def live_phone(live_browser: Browser, live_watch: Watch) -> Iterator[OpenPhone]:
    contexts = []

    def open_phone(device: ContextOptions | None = None) -> Page:
        context = live_browser.new_context(**(device or phone()))
        live_watch.follow(context)
        contexts.append(context)
        return context.new_page()

    yield open_phone
    for context in contexts:
        context.close()
