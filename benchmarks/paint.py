"""When a resident sees the page: the largest contentful paint in a throttled Chromium."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from benchmarks.server import HOST, CannotMeasure

CHROMIUM = Path("/usr/bin/chromium")
_LOOKS = 5
_PAINTED = """() => new Promise((done) => new PerformanceObserver((list) =>
  done(list.getEntries().pop().startTime)
).observe({ type: "largest-contentful-paint", buffered: true }))"""


@dataclass(frozen=True, slots=True)
class Line:
    """A connection and a phone: delay (ms), bits per second, and how much slower its processor."""

    name: str
    delay_ms: int
    bits_per_second: int
    processor: int
    bar_seconds: float


SLOW = Line("562 ms, 1.4 Mb/s, CPU x4", 562, 1_400_000, 4, 1.5)
SLOWER = Line("2,000 ms, 400 kb/s", 2000, 400_000, 1, 3.0)


@dataclass(frozen=True, slots=True)
class Paint:
    """How long (seconds) until the page was to be seen over a line; the median of five looks."""

    line: Line
    seconds: float


def measure_paints(port: int, path: str) -> list[Paint]:
    """Open the page over both lines. Raises `CannotMeasure` without a Chromium."""
    if not CHROMIUM.exists():
        raise CannotMeasure(f"no Chromium at {CHROMIUM}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        paints = list(_paints(browser, f"http://{HOST}:{port}{path}"))
        browser.close()
    return paints


def _paints(browser: Browser, url: str) -> Iterator[Paint]:
    for line in (SLOW, SLOWER):
        looks = [_look(browser, line, url) for _ in range(_LOOKS)]
        yield Paint(line, median(looks) / 1000)


def _look(browser: Browser, line: Line, url: str) -> float:
    """Open the page on a phone that knows nothing yet; return the paint in milliseconds."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True)
    page = context.new_page()
    wire = context.new_cdp_session(page)
    bytes_per_second = line.bits_per_second / 8
    wire.send("Network.enable")
    wire.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": line.delay_ms,
            "downloadThroughput": bytes_per_second,
            "uploadThroughput": bytes_per_second,
        },
    )
    wire.send("Emulation.setCPUThrottlingRate", {"rate": line.processor})
    page.goto(url)
    painted: float = page.evaluate(_PAINTED)
    context.close()
    return painted
