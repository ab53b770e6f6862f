"""Floods are slowed or refused; a valid card, and a village behind one address, never are."""

import logging
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from itertools import count

import pytest
from flask import Flask
from redis import Redis, RedisError
from werkzeug.test import TestResponse

from app import limits
from app.config import Keys
from app.models import CardState
from app.services.codes import card_code
from tests.conftest import (
    EVALUATOR,
    NewVisitor,
    Page,
    StartApp,
    Visitor,
    Zone,
    card_states,
    make_cards,
    snapshot,
    submissions,
)

REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
AWAY = "redis://127.0.0.1:1"
VILLAGE = "203.0.113.7"
limits_are_low = pytest.mark.usefixtures("few")


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Note for how long answers were held back, instead of waiting."""
    noted: list[float] = []
    monkeypatch.setattr(limits, "sleep", noted.append)
    return noted


@pytest.fixture
def redis_url() -> str:
    try:
        Redis.from_url(REDIS_URL, socket_connect_timeout=3).ping()
    except RedisError as error:
        reason = f"no Redis at {REDIS_URL} (TEST_REDIS_URL): {error}"
        if os.environ.get("REQUIRE_REDIS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return REDIS_URL


@pytest.fixture(params=["memory", "redis"])
def counting(request: pytest.FixtureRequest, start_app: StartApp) -> Iterator[Flask]:
    """The application as it counts in memory, and as it counts in Redis."""
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    app = start_app(redis_url=url)
    yield app
    if url:
        forget(app)


def forget(app: Flask) -> None:
    prefix = app.extensions["limits"].storage.key_prefix
    connection = Redis.from_url(REDIS_URL)
    for key in connection.scan_iter(f"{prefix}*"):
        connection.delete(key)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are reached soon."""
    for name, amount in {
        "WRONG_CODES": 2,
        "SENT_BY_DEVICE": 2,
        "SENT_FROM_NETWORK": 3,
        "FAILED_SIGN_INS": 2,
    }.items():
        item = getattr(limits, name)
        monkeypatch.setattr(limits, name, type(item)(amount, item.multiples, item.namespace))


def stranger(app: Flask, address: str = VILLAGE) -> Visitor:
    visitor = Visitor(app)
    visitor.client.environ_base["REMOTE_ADDR"] = address
    return visitor


wrong_numbers = count()


def wrong_card() -> str:
    return f"/s/{card_code(b'another key', uuid.uuid4(), next(wrong_numbers))}"


# ---------------------------------------------------------------------------------------------
# Wrong codes are slowed, right ones never
# ---------------------------------------------------------------------------------------------


@limits_are_low
def test_wrong_codes_are_slowed_beyond_a_rate(counting: Flask, waits: list[float]) -> None:
    visitor = Visitor(counting)
    for _ in range(2):
        visitor.get(wrong_card(), status=404)
    assert waits == []
    visitor.get(wrong_card(), status=404)
    visitor.post(wrong_card(), {"_end": "1"}, status=404)
    assert waits == [1.0, 1.0]


@limits_are_low
def test_wrong_receipts_are_slowed_like_wrong_codes(counting: Flask, waits: list[float]) -> None:
    for number in range(3):
        Visitor(counting).get(f"/r/ABCD{number}", status=404)
    assert waits == [1.0]


@limits_are_low
def test_who_tries_out_codes_from_many_addresses_is_slowed(
    counting: Flask, waits: list[float]
) -> None:
    for number in range(4):
        stranger(counting, f"198.51.100.{number}").get(wrong_card(), status=404)
    assert waits == [1.0, 1.0]


@limits_are_low
def test_a_valid_card_is_never_counted_slowed_or_refused(
    counting: Flask, here: Zone, keys: Keys, waits: list[float]
) -> None:
    """A thousand wrong codes came from the village; its 30 cards are answered all the same."""
    for _ in range(20):
        stranger(counting).get(wrong_card(), status=404)
    waits.clear()
    batch, codes = make_cards(counting, here, 30, keys)
    for code in codes:
        stranger(counting).submit(f"/s/{code}")
    assert waits == []
    assert card_states(counting, batch) == [CardState.ANSWERED] * 30


@limits_are_low
def test_a_slowed_answer_is_the_same_page(visitor: Visitor) -> None:
    pages = [visitor.get(wrong_card(), status=404) for _ in range(4)]
    assert len({page.body for page in pages}) == 1
    assert len({str(page.response.headers) for page in pages}) == 1


@limits_are_low
def test_few_threads_wait_and_the_others_answer_at_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, leave = threading.Semaphore(0), threading.Event()

    def hold(_seconds: float) -> None:
        entered.release()
        leave.wait(30)

    monkeypatch.setattr(limits, "sleep", hold)
    for _ in range(2):
        Visitor(app).get(wrong_card(), status=404)
    guessing = [
        threading.Thread(target=Visitor(app).get, args=[wrong_card()], kwargs={"status": 404})
        for _ in range(4)
    ]
    for each in guessing:
        each.start()
    assert all(entered.acquire(timeout=30) for _ in guessing)
    Visitor(app).get(wrong_card(), status=404)  # would hang if a fifth one waited
    assert not entered.acquire(blocking=False)
    leave.set()
    for each in guessing:
        each.join(30)


def test_the_log_says_how_many_wrong_codes_came(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    reports: list[Callable[[], None]] = []

    class Timer(threading.Thread):
        """Rings when the test says so."""

        def __init__(self, seconds: float, report: Callable[[], None]) -> None:
            super().__init__()
            assert seconds == 60
            reports.append(report)

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    listening = Lines()
    monkeypatch.setattr(limits, "Timer", Timer)
    monkeypatch.setattr(limits._log, "handlers", [listening])
    app.extensions["limits"]._report()  # what earlier tests left
    lines.clear()
    cards = [wrong_card() for _ in range(3)]
    for card in cards:
        Visitor(app).get(card, status=404)
    (report,) = reports
    report()
    assert lines == ["3 wrong card codes or receipts within a minute"]
    Visitor(app).get(wrong_card(), status=404)
    assert len(reports) == 2


# ---------------------------------------------------------------------------------------------
# Posters: by phone and by network, with nothing lost
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def poster(here: Zone) -> str:
    return f"/p/{here.slug}"


def device_cookie(response: TestResponse) -> SimpleCookie:
    cookie = SimpleCookie()
    for line in response.headers.getlist("Set-Cookie"):
        cookie.load(line)
    return cookie


def test_the_phones_number_stays_on_the_posters_path_for_a_day(
    visitor: Visitor, poster: str
) -> None:
    morsel = device_cookie(visitor.submit(poster).response)["device"]
    assert (morsel["path"], morsel["max-age"], morsel["samesite"]) == (poster, "86400", "Lax")
    assert morsel["httponly"]
    assert morsel["secure"]


def test_phones_have_different_numbers_and_keep_them(new_visitor: NewVisitor, poster: str) -> None:
    numbers = []
    for phone in (new_visitor(), new_visitor()):
        for _ in range(2):
            value = device_cookie(phone.submit(poster).response)["device"].value
            numbers.append(value.partition(".")[0])
    assert numbers[0] == numbers[1] != numbers[2] == numbers[3]


@limits_are_low
def test_beyond_the_limit_the_filled_form_comes_back(
    counting: Flask, here: Zone, poster: str
) -> None:
    visitor = Visitor(counting)
    for _ in range(2):
        visitor.submit(poster)
    form = visitor.open_form(poster)
    page = visitor.submit(poster, form=form, status=429)
    assert "这一份还没有存上，您的选择都还在" in page.text
    assert 0 < int(page.response.headers["Retry-After"]) <= 86400
    sent = page.fields()
    assert (sent["key"], sent["_token"]) == (form["key"], form["_token"])
    assert sent["q1"] == ["aware"]
    assert sent["q2"] == ["home_visit", "leaflet"]
    assert len(submissions(counting, here.survey)) == 2


@limits_are_low
def test_another_phone_is_not_refused(counting: Flask, poster: str) -> None:
    first = Visitor(counting)
    for status in (303, 303, 429):
        first.submit(poster, status=status)
    Visitor(counting).submit(poster)


@limits_are_low
def test_another_poster_counts_for_itself(visitor: Visitor, poster: str, noise: Zone) -> None:
    for status in (303, 303, 429):
        visitor.submit(poster, status=status)
    visitor.submit(f"/p/{noise.slug}")


@limits_are_low
def test_without_cookies_the_network_counts(counting: Flask, here: Zone, poster: str) -> None:
    for status in (303, 303, 303, 429):
        stranger(counting).submit(poster, status=status)
    stranger(counting, "203.0.113.8").submit(poster)
    assert len(submissions(counting, here.survey)) == 4


@limits_are_low
def test_a_number_that_is_not_ours_is_none(app: Flask, poster: str) -> None:
    for _ in range(3):
        visitor = Visitor(app)
        visitor.client.set_cookie("device", "0" * 32 + ".a.b", path=poster, domain="localhost")
        visitor.submit(poster)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
    ],
)
@limits_are_low
def test_a_network_is_an_address_or_a_64(
    one: str, other: str, is_same: bool, app: Flask, poster: str
) -> None:
    for _ in range(3):
        stranger(app, one).submit(poster)
    stranger(app, other).submit(poster, status=429 if is_same else 303)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "", "unknown"])
@limits_are_low
def test_the_machine_itself_is_no_network(address: str, app: Flask, poster: str) -> None:
    """Behind a proxy that nobody declared, everybody seems to come from there."""
    for _ in range(5):
        stranger(app, address).submit(poster)


@limits_are_low
def test_what_is_stored_gets_its_receipt_whatever_the_limit(counting: Flask, poster: str) -> None:
    visitor = Visitor(counting)
    form = visitor.open_form(poster)
    receipts = {visitor.submit(poster, form=form).location for _ in range(5)}
    assert len(receipts) == 1
    for status in (303, 429):
        visitor.submit(poster, status=status)
    assert {visitor.submit(poster, form=form).location} == receipts


@limits_are_low
def test_what_was_not_taken_is_not_counted(app: Flask, poster: str) -> None:
    visitor = Visitor(app)
    for _ in range(5):
        visitor.submit(poster, {"q1": "unaware"}, status=422)
        visitor.submit(poster, _token="", status=400)
    visitor.submit(poster)


def test_a_hall_full_of_people_is_served(app: Flask, here: Zone, poster: str) -> None:
    """150 phones behind one address within a few seconds."""
    for _ in range(150):
        stranger(app).submit(poster)
    assert len(submissions(app, here.survey)) == 150


@limits_are_low
def test_neither_address_nor_device_is_stored_or_logged(
    app: Flask, poster: str, caplog: pytest.LogCaptureFixture
) -> None:
    devices = []
    for status in (303, 303, 303, 429):
        response = stranger(app).submit(poster, status=status).response
        devices.append(device_cookie(response)["device"].value.partition(".")[0])
    kept = str(snapshot(app)) + caplog.text + str(app.extensions["limits"].storage.storage)
    for secret in (VILLAGE, *devices):
        assert secret not in kept


def test_redis_keeps_hashes_that_die_after_a_day(
    redis_url: str, start_app: StartApp, poster: str
) -> None:
    app = start_app(redis_url=redis_url)
    stranger(app).submit(poster)
    connection = Redis.from_url(redis_url, decode_responses=True)
    prefix = app.extensions["limits"].storage.key_prefix
    found = list(connection.scan_iter(f"{prefix}*"))
    assert len(found) == 2
    for key in found:
        assert re.search(r"/[0-9a-f]{32}/", key)
        assert 0 < connection.ttl(key) <= 86400
    forget(app)


@limits_are_low
def test_processes_count_together_in_redis(
    redis_url: str, start_app: StartApp, poster: str
) -> None:
    first, second = start_app(redis_url=redis_url), start_app(redis_url=redis_url)
    for app, status in ((first, 303), (second, 303), (first, 303), (second, 429)):
        stranger(app).submit(poster, status=status)
    forget(first)


# ---------------------------------------------------------------------------------------------
# Signing in
# ---------------------------------------------------------------------------------------------


def refused_sign_in(page: Page) -> bool:
    assert "登录失败的次数太多" in page.text
    return 0 < int(page.response.headers["Retry-After"]) <= 600


@limits_are_low
def test_failed_sign_ins_of_a_network_are_refused_beyond_a_number(counting: Flask) -> None:
    for name in ("anna", "berta"):
        stranger(counting).sign_in(name, "wrong", status=422)
    assert refused_sign_in(stranger(counting).sign_in(EVALUATOR, status=429))
    stranger(counting).get("/staff/sign-in")
    stranger(counting, "203.0.113.8").sign_in(EVALUATOR)


@limits_are_low
def test_right_sign_ins_are_not_counted(counting: Flask) -> None:
    for _ in range(4):
        stranger(counting).sign_in(EVALUATOR)


@limits_are_low
def test_who_is_signed_in_goes_on_working_and_can_leave(app: Flask) -> None:
    visitor = stranger(app)
    visitor.sign_in(EVALUATOR)
    for name in ("anna", "berta"):
        stranger(app).sign_in(name, "wrong", status=422)
    home = visitor.get("/desk/")
    visitor.post("/staff/sign-out", home.fields("/staff/sign-out"))


# ---------------------------------------------------------------------------------------------
# Redis is away
# ---------------------------------------------------------------------------------------------


@limits_are_low
def test_without_redis_everything_is_allowed_and_said_once(
    start_app: StartApp,
    poster: str,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = start_app(redis_url=AWAY)
    for _ in range(5):
        stranger(app).submit(poster)
        stranger(app).get(wrong_card(), status=404)
        stranger(app).sign_in("anna", "wrong", status=422)
    assert waits == []
    assert caplog.text.count("Redis is away, nothing is limited for a minute") == 1
    assert VILLAGE not in caplog.text


@limits_are_low
def test_nobody_waits_long_for_a_redis_that_never_answers(
    start_app: StartApp, poster: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = start_app(redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        for _ in range(5):
            stranger(app).submit(poster)
        assert time.monotonic() - began < 5
    assert caplog.text.count("Redis is away") == 1


@limits_are_low
def test_redis_is_asked_again_after_a_minute(
    redis_url: str, start_app: StartApp, poster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = start_app(redis_url=redis_url)
    clock = [1000.0]
    monkeypatch.setattr(limits, "monotonic", lambda: clock[0])
    app.extensions["limits"]._away_until = 1060.0
    for _ in range(5):
        stranger(app).submit(poster)
    clock[0] = 1060.0
    for status in (303, 303, 303, 429):
        stranger(app).submit(poster, status=status)
    forget(app)
