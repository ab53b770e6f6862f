"""The second factor: nothing opens on a password alone, and no code opens anything twice."""

import base64
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from io import BytesIO

import pyotp
import pytest
import zxingcpp
from flask import Flask
from PIL import Image
from sqlalchemy import delete, select

from app.config import SecondFactor
from app.db import reading, transaction
from app.models import AuditEntry, RecoveryCode, Role, SignIn, Staff, StaffSession
from app.services import devices
from tests.app.test_access_census import addresses, staff_side
from tests.app.test_staff_sessions import (
    ACCOUNT,
    EVERYWHERE,
    NEW,
    WAIT,
    Clock,
    change,
    change_staff,
    stored,
    token_of,
)
from tests.conftest import (
    ADMINISTRATOR,
    EVALUATOR,
    FIELDWORKER,
    PASSWORD,
    Command,
    Page,
    StartApp,
    Visitor,
    Zone,
    command_of,
    snapshot,
)

SIGN_IN, CODE, ENROL = "/staff/sign-in", "/staff/code/", "/staff/second-factor/"
RECOVERY = "/staff/second-factor/recovery-codes"
WRONG_CODE = "这个码不对，或已用过。请等手机显示下一个验证码再试。"
LOST = "密码不对。"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    # In the middle of a time step, so that no test depends on how long it takes.
    second = int(datetime.now(UTC).timestamp()) // 30 * 30 + 10
    made = Clock(datetime.fromtimestamp(second, UTC))
    monkeypatch.setattr("app.access.now", lambda: made.now)
    return made


@pytest.fixture
def strict(start_app: StartApp) -> Flask:
    """The application as it is outside the tests: the second factor is required."""
    return start_app(second_factor=SecondFactor.REQUIRED)


class Person(Visitor):
    """Somebody with a phone, on which an authenticator holds the secret."""

    def __init__(self, app: Flask, clock: Clock, name: str = EVALUATOR) -> None:
        super().__init__(app)
        self.clock, self.name, self.secret = clock, name, ""
        self.recovery: list[str] = []

    def code(self, steps: int = 0) -> str:
        phone = pyotp.TOTP(self.secret)
        return phone.at(self.clock.now, counter_offset=steps)

    def enrol(self, *, password: str = PASSWORD, status: int = 200) -> Page:
        self.secret = secret_on(self.get(ENROL))
        page = self.fill(ENROL, action=ENROL, code=self.code(), password=password, status=status)
        if status == 200:
            self.recovery = codes_on(page)
        return page

    def half(self, app: Flask | None = None) -> "Person":
        """Give the password on another device; the code is still owed."""
        device = Person(app or self.app, self.clock, self.name)
        device.secret = self.secret
        assert device.sign_in(self.name).location.startswith(CODE)
        return device

    def give(self, code: str, *, status: int = 303) -> Page:
        return self.fill(CODE, action=None, code=code, status=status)

    def fill(  # type: ignore[override]
        self, path: str, *, status: int | None = 303, action: str | None = None, **changes: str
    ) -> Page:
        """Fill the form without an action, which on the page for the code is not the only one."""
        return super().fill(path, status=status, action=action, **changes)


def secret_on(page: Page) -> str:
    (shown,) = page.html.all("code")
    return shown.text.replace(" ", "")


def codes_on(page: Page) -> list[str]:
    return [each.text for each in page.html.all("code")]


@pytest.fixture
def person(strict: Flask, clock: Clock) -> Person:
    """An evaluator who has set up the second factor, and is signed in."""
    made = Person(strict, clock)
    made.sign_in(EVALUATOR)
    made.enrol()
    clock.wait(seconds=30)
    return made


def outcomes(app: Flask, name: str = EVALUATOR) -> list[str]:
    """Return how the tries on an account ended, the newest first."""
    with app.app_context(), reading() as session:
        query = select(SignIn.outcome).join(Staff, SignIn.staff_id == Staff.id)
        found = session.scalars(query.where(Staff.name == name).order_by(SignIn.id.desc()))
        return [outcome.value for outcome in found]


def acts(app: Flask) -> list[str]:
    with app.app_context(), reading() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.number)))


# ---------------------------------------------------------------------------------------------
# Setting it up
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.EVALUATOR])
def test_who_must_have_one_reaches_nothing_before(
    role: Role, strict: Flask, clock: Clock, here: Zone
) -> None:
    change_staff(strict, EVALUATOR, role=role)
    person = Person(strict, clock)
    person.sign_in(EVALUATOR)
    token = person.get(ACCOUNT).fields(EVERYWHERE)["csrf_token"]
    before = snapshot(strict)
    for method, send in (("GET", person.get), ("POST", person.post)):
        for endpoint, path in staff_side(addresses(strict, here, method)).items():
            if not endpoint.startswith(("account.", "factor.", "code.")):
                sent = () if method == "GET" else ({"csrf_token": token},)
                assert send(path, *sent, status=303).location == ENROL, path
    assert snapshot(strict) == before
    person.enrol()
    person.get("/desk/")


@pytest.mark.parametrize("role", [Role.FIELDWORKER, Role.AUDITOR])
def test_others_may_have_one(role: Role, strict: Flask, clock: Clock) -> None:
    change_staff(strict, FIELDWORKER, role=role)
    person = Person(strict, clock, FIELDWORKER)
    home = person.sign_in(FIELDWORKER).location
    person.get(home)
    assert person.get(ACCOUNT).html.all("a", href=ENROL)
    person.enrol()
    clock.wait(seconds=30)
    person.half().get(home, status=303)


def test_the_setting_switches_the_requirement_off_and_no_factor(
    app: Flask, person: Person, clock: Clock
) -> None:
    other = Person(app, clock, ADMINISTRATOR)
    assert other.sign_in(ADMINISTRATOR).location == "/desk/"
    other.get("/desk/")
    assert person.half(app).get("/desk/", status=303).location == CODE


def test_an_initial_password_is_changed_before(strict: Flask, clock: Clock) -> None:
    change_staff(strict, EVALUATOR, must_change_password=True)
    person = Person(strict, clock)
    person.sign_in(EVALUATOR)
    assert person.get(ENROL, status=303).location == ACCOUNT
    change(person)
    assert person.get("/desk/", status=303).location == ENROL
    person.enrol(password=NEW)
    person.get("/desk/")


def test_demo_accounts_neither_need_one_nor_can_have_one(strict: Flask, clock: Clock) -> None:
    change_staff(strict, EVALUATOR, is_demo=True)
    person = Person(strict, clock)
    person.sign_in(EVALUATOR)
    token = person.get("/desk/").fields("/staff/sign-out")["csrf_token"]
    person.get(ENROL, status=403)
    person.post(ENROL, {"csrf_token": token, "code": "1", "password": PASSWORD}, status=403)
    assert not person.get(ACCOUNT).html.all("a", href=ENROL)


def test_the_page_shows_the_secret_as_a_code_and_to_type_in(strict: Flask, clock: Clock) -> None:
    person = Person(strict, clock)
    person.sign_in(EVALUATOR)
    page = person.get(ENROL)
    (shown,) = page.html.all("code")
    assert re.fullmatch(r"([A-Z2-7]{4} ){7}[A-Z2-7]{4}", shown.text)
    (image,) = page.html.all("img")
    png = base64.b64decode(image.attributes["src"].removeprefix("data:image/png;base64,"))
    (read,) = zxingcpp.read_barcodes(Image.open(BytesIO(png)))
    scanned = pyotp.parse_uri(read.text)
    assert (scanned.secret, scanned.name, scanned.issuer) == (secret_on(page), EVALUATOR, "民评")
    assert page.response.headers["Cache-Control"] == "no-store"
    assert secret_on(person.get(ENROL)) == secret_on(page)


def test_everybody_gets_another_secret(strict: Flask, clock: Clock) -> None:
    secrets = set()
    for name in (EVALUATOR, EVALUATOR, FIELDWORKER):
        person = Person(strict, clock, name)
        person.sign_in(name)
        secrets.add(secret_on(person.get(ENROL)))
    assert len(secrets) == 3


def test_without_the_right_code_and_password_nothing_is_set_up(strict: Flask, clock: Clock) -> None:
    person = Person(strict, clock)
    person.sign_in(EVALUATOR)
    person.secret = secret_on(person.get(ENROL))
    for code, password, said in (
        ("000000", PASSWORD, ["验证码不对。请确认手机的时间是准的，再填现在显示的 6 位数字。"]),
        (person.code(), "wrong", [LOST]),
        ("", "", ["请填写验证码。", "请填写密码。"]),
        (
            person.code(-3),
            PASSWORD,
            ["验证码不对。请确认手机的时间是准的，再填现在显示的 6 位数字。"],
        ),
    ):
        page = person.fill(ENROL, action=ENROL, code=code, password=password, status=422)
        assert page.errors == " ".join(said)
        assert secret_on(page) == person.secret
    assert stored(strict, EVALUATOR).factor_seed is None
    person.get("/desk/", status=303)


def test_it_cannot_be_set_up_again_without_the_password(person: Person) -> None:
    before = stored(person.app, EVALUATOR).factor_seed
    person.enrol(password="wrong", status=422)
    assert stored(person.app, EVALUATOR).factor_seed == before
    assert len(outcomes(person.app)) == 2


def test_another_phone_replaces_the_first_and_ends_other_sessions(
    person: Person, clock: Clock
) -> None:
    other = person.half()
    other.give(other.code())
    clock.wait(seconds=30)
    old_code, old_recovery = person.secret, person.recovery[0]
    person.enrol()
    assert person.secret != old_code
    person.get("/desk/")
    other.get("/desk/", status=303)
    clock.wait(seconds=30)
    device = person.half()
    device.secret = old_code
    device.give(device.code(), status=422)
    device.give(old_recovery, status=422)
    device.give(person.code())


def test_two_pages_that_set_one_up_at_once_leave_one(strict: Flask, clock: Clock) -> None:
    people = [Person(strict, clock) for _ in range(2)]
    forms = []
    for person in people:
        person.sign_in(EVALUATOR)
        page = person.get(ENROL)
        person.secret = secret_on(page)
        forms.append({**page.fields(ENROL), "code": person.code(), "password": PASSWORD})
    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda p, f: p.post(ENROL, f, status=None).status, people, forms))
    # The second finds another factor set up, or its session ended by the first.
    assert sorted(sent) in ([200, 303], [200, 422])
    with strict.app_context(), reading() as session:
        assert len(session.scalars(select(RecoveryCode)).all()) == 10


def test_neither_secret_nor_recovery_code_is_stored(person: Person) -> None:
    everything = str(snapshot(person.app)).upper()
    raw = base64.b32decode(person.secret)
    for hidden in (person.secret, raw.hex().upper(), str(raw)[2:-1].upper()):
        assert hidden not in everything
    for code in person.recovery:
        plain = code.replace(" ", "")
        assert plain not in everything
        assert str(hashlib.sha256(plain.encode()).digest()).upper() not in everything


# ---------------------------------------------------------------------------------------------
# Half signed in
# ---------------------------------------------------------------------------------------------


def test_half_a_sign_in_reaches_nothing_but_the_code(person: Person, here: Zone) -> None:
    device = person.half()
    token = device.get(CODE).fields("/staff/sign-out")["csrf_token"]
    before = snapshot(person.app)
    for method, send in (("GET", device.get), ("POST", device.post)):
        for endpoint, path in staff_side(addresses(person.app, here, method)).items():
            if not endpoint.startswith("code."):
                sent = () if method == "GET" else ({"csrf_token": token},)
                assert send(path, *sent, status=303).location == CODE, path
    assert snapshot(person.app) == before
    page = device.get(CODE)
    assert EVALUATOR not in page.body
    assert not page.html.all("a", href="/desk/")


def test_half_a_sign_in_dies_after_ten_minutes(person: Person, clock: Clock) -> None:
    device = person.half()
    clock.wait(minutes=9, seconds=59)
    form = device.get(CODE).fields()
    clock.wait(seconds=1)
    assert device.get(CODE, status=303).location.startswith(SIGN_IN)
    assert device.post(CODE, {**form, "code": device.code()}).location == SIGN_IN
    device.get("/desk/", status=303)


def test_one_may_leave_half_way(person: Person) -> None:
    device = person.half()
    assert device.fill(CODE, action="/staff/sign-out").location == SIGN_IN
    device.get(CODE, status=303)


def test_the_code_opens_and_makes_another_token(person: Person) -> None:
    device = person.half()
    half = token_of(device)
    assert device.give(device.code()).location == "/desk/"
    device.get("/desk/")
    assert device.get(CODE, status=303).location == "/desk/"
    with device.client.session_transaction() as cookie:
        assert token_of(device) != half
        cookie["token"] = half
    assert device.get("/desk/", status=303).location.startswith(SIGN_IN)


def test_the_code_leads_on_to_where_one_wanted_to_go(person: Person) -> None:
    device = Person(person.app, person.clock)
    device.secret = person.secret
    form = device.get(SIGN_IN).fields()
    asked = device.post(
        f"{SIGN_IN}?next=/field/", {**form, "name": EVALUATOR, "password": PASSWORD}
    )
    assert asked.location == f"{CODE}?next=/field/"
    form = device.get(CODE).fields()
    assert device.post(asked.location, {**form, "code": device.code()}).location == "/field/"


def test_a_code_leads_nowhere_else(person: Person) -> None:
    device = person.half()
    form = device.get(CODE).fields()
    sent = {**form, "code": device.code()}
    assert device.post(f"{CODE}?next=//evil.example", sent).location == "/desk/"


@pytest.mark.parametrize("command", ["close", "reset", "reset-factor"])
def test_closing_or_resetting_ends_half_a_sign_in_too(command: str, person: Person) -> None:
    device = person.half()
    command_of(person.app)("staff", command, EVALUATOR)
    assert device.get(CODE, status=303).location.startswith(SIGN_IN)


def test_a_half_session_that_ended_meanwhile_opens_nothing(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends between the look at the session and the code: a copy of the cookie was faster."""
    device = person.half()
    real = devices.end_session

    def ended_before(session: object, token: str, now: datetime) -> bool:
        real(session, token, now)  # type: ignore[arg-type]
        return real(session, token, now)  # type: ignore[arg-type]

    monkeypatch.setattr(devices, "end_session", ended_before)
    device.give(device.code(), status=403)
    device.get("/desk/", status=303)
    monkeypatch.undo()
    assert outcomes(person.app)[0] == "asked_for_code"


# ---------------------------------------------------------------------------------------------
# Codes
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "status"), [(-2, 422), (-1, 303), (0, 303), (1, 303), (2, 422)])
def test_a_clock_may_be_half_a_minute_off(
    steps: int, status: int, person: Person, clock: Clock
) -> None:
    clock.wait(minutes=5)
    device = person.half()
    device.give(device.code(steps), status=status)


def test_full_width_digits_and_blanks_are_read(person: Person) -> None:
    device = person.half()
    code = device.code()
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    device.give(f" {wide[:3]} {wide[3:]} ")


def test_a_code_opens_once(person: Person, clock: Clock) -> None:
    first, second = person.half(), person.half()
    code = first.code()
    first.give(code)
    assert second.give(code, status=422).errors == WRONG_CODE
    clock.wait(seconds=30)
    assert second.give(code, status=422).errors == WRONG_CODE
    second.give(second.code())


def test_no_code_from_before_the_last_one_opens(person: Person, clock: Clock) -> None:
    clock.wait(minutes=1)
    first, second = person.half(), person.half()
    first.give(first.code(1))
    for steps in (-1, 0, 1):
        second.give(second.code(steps), status=422)


def test_the_code_that_set_it_up_opens_nothing_again(strict: Flask, clock: Clock) -> None:
    person = Person(strict, clock)
    person.sign_in(EVALUATOR)
    person.enrol()
    person.half().give(person.code(), status=422)


def test_of_four_at_once_with_one_code_one_gets_in(person: Person) -> None:
    device = [person.half() for _ in range(4)]
    code = person.code()
    forms = [(each, each.get(CODE).fields()) for each in device]
    with ThreadPoolExecutor(4) as pool:
        sent = pool.map(
            lambda pair: pair[0].post(CODE, {**pair[1], "code": code}, status=None), forms
        )
        assert sorted(page.status for page in sent) == [303, 422, 422, 422]
    assert outcomes(person.app)[:4].count("signed_in") == 1


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "①②③④⑤⑥", "x" * 64])
def test_what_is_no_code_opens_nothing(code: str, person: Person) -> None:
    device = person.half()
    assert device.give(code, status=422).errors
    device.get("/desk/", status=303)


# ---------------------------------------------------------------------------------------------
# The one count
# ---------------------------------------------------------------------------------------------


def test_wrong_codes_and_wrong_passwords_are_one_count(person: Person, clock: Clock) -> None:
    device = person.half()
    for _ in range(3):
        assert device.give("000000", status=422).errors == WRONG_CODE
    Visitor(person.app).sign_in(EVALUATOR, "wrong", status=422)
    assert WAIT.fullmatch(device.give("000000", status=422).errors)
    # The lock holds for the right code, a recovery code and the password alike.
    assert WAIT.fullmatch(device.give(device.code(), status=422).errors)
    assert WAIT.fullmatch(device.give(person.recovery[0], status=422).errors)
    assert WAIT.fullmatch(Visitor(person.app).sign_in(EVALUATOR, status=422).errors)
    clock.wait(seconds=31)
    device.give(person.recovery[0])  # not spent by the try that was not heard
    assert outcomes(person.app)[:6] == [
        "recovered",
        "locked",
        "locked",
        "locked",
        "code_refused",
        "refused",
    ]


def test_the_right_password_does_not_forgive_wrong_codes(person: Person, clock: Clock) -> None:
    for _ in range(4):
        person.half().give("000000", status=422)
    assert stored(person.app, EVALUATOR).failed_sign_ins == 4
    device = person.half()
    assert WAIT.fullmatch(device.give("000000", status=422).errors)
    clock.wait(seconds=31)
    person.half().give("000000", status=422)
    assert stored(person.app, EVALUATOR).failed_sign_ins == 6
    clock.wait(seconds=61)
    person.half().give(person.code())
    assert stored(person.app, EVALUATOR).failed_sign_ins == 0
    assert stored(person.app, EVALUATOR).locked_until is None


def test_confirming_the_password_does_not_forgive_wrong_codes_either(person: Person) -> None:
    person.half().give("000000", status=422)
    person.fill(RECOVERY, action=RECOVERY, password=PASSWORD, status=200)
    assert stored(person.app, EVALUATOR).failed_sign_ins == 1


def test_the_history_tells_how_far_somebody_got(person: Person) -> None:
    device = person.half()
    device.give("000000", status=422)
    device.give(person.recovery[0])
    rows = [row.text[18:] for row in device.get(ACCOUNT).html.all("tr")][1:]
    assert rows == ["用恢复码登录", "验证码不对", "密码正确，等待验证码", "已登录"]


# ---------------------------------------------------------------------------------------------
# Recovery codes
# ---------------------------------------------------------------------------------------------


def test_ten_recovery_codes_are_shown_once(person: Person) -> None:
    assert len(set(person.recovery)) == 10
    for code in person.recovery:
        assert re.fullmatch(r"([2-9A-HJKMNP-TV-Z]{4} ){3}[2-9A-HJKMNP-TV-Z]{4}", code)
    for path in (ENROL, RECOVERY, ACCOUNT):
        text = person.get(path).text
        assert not [code for code in person.recovery if code in text]
    assert "还剩 10 个" in person.get(ACCOUNT).text


def test_a_recovery_code_opens_once(person: Person) -> None:
    code = person.recovery[3]
    assert person.half().give(code.lower().replace(" ", "-")).location == "/desk/"
    assert person.half().give(code, status=422).errors == WRONG_CODE
    assert "还剩 9 个" in person.get(ACCOUNT).text
    person.half().give(person.recovery[4])


def test_a_recovery_code_given_twice_at_once_opens_once(person: Person) -> None:
    forms = [(each, each.get(CODE).fields()) for each in (person.half() for _ in range(3))]
    code = person.recovery[0]
    with ThreadPoolExecutor(3) as pool:
        sent = pool.map(
            lambda pair: pair[0].post(CODE, {**pair[1], "code": code}, status=None), forms
        )
        assert sorted(page.status for page in sent) == [303, 422, 422]


def test_anothers_recovery_code_opens_nothing(person: Person, clock: Clock) -> None:
    other = Person(person.app, clock, FIELDWORKER)
    other.sign_in(FIELDWORKER)
    other.enrol()
    person.half().give(other.recovery[0], status=422)


def test_others_are_made_against_the_password_and_void_the_first(person: Person) -> None:
    assert person.fill(RECOVERY, action=RECOVERY, password="wrong", status=422).errors == LOST
    page = person.fill(RECOVERY, action=RECOVERY, password=PASSWORD, status=200)
    fresh = codes_on(page)
    assert len(set(fresh) | set(person.recovery)) == 20
    assert page.response.headers["Cache-Control"] == "no-store"
    person.half().give(person.recovery[0], status=422)
    person.half().give(fresh[0])


def test_without_a_factor_there_are_no_recovery_codes(strict: Flask, fieldworker: Visitor) -> None:
    assert fieldworker.get(RECOVERY, status=303).location == ENROL
    token = fieldworker.get(ACCOUNT).fields(EVERYWHERE)["csrf_token"]
    sent = {"csrf_token": token, "password": PASSWORD}
    assert fieldworker.post(RECOVERY, sent).location == ENROL
    with strict.app_context(), reading() as session:
        assert not session.scalars(select(RecoveryCode)).all()


# ---------------------------------------------------------------------------------------------
# On record, and by command
# ---------------------------------------------------------------------------------------------


def test_what_happens_to_a_factor_is_on_record(person: Person) -> None:
    person.half().give(person.recovery[0])
    person.fill(RECOVERY, action=RECOVERY, password=PASSWORD, status=200)
    command_of(person.app)("staff", "reset-factor", EVALUATOR)
    assert acts(person.app) == [
        "signed_in",
        "factor_enrolled",
        "recovery_code_used",
        "signed_in",
        "recovery_codes_made",
        "factor_reset",
    ]
    everything = str(snapshot(person.app)["audit_entries"])
    assert person.secret not in everything


def test_a_lost_phone_is_reset_by_command(person: Person) -> None:
    flask: Command = command_of(person.app)
    assert "已设两步验证" in flask("staff", "list").stdout
    flask("staff", "reset-factor", EVALUATOR)
    assert "已设两步验证" not in flask("staff", "list").stdout
    person.get("/desk/", status=303)
    with person.app.app_context(), reading() as session:
        assert not session.scalars(select(RecoveryCode)).all()
        query = select(AuditEntry).where(AuditEntry.action == "factor_reset")
        entry = session.scalars(query).one()
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["second_factor"], entry.after["second_factor"]) == (True, False)
    assert person.sign_in(EVALUATOR).location == "/desk/"
    assert person.get("/desk/", status=303).location == ENROL
    assert flask("staff", "reset-factor", "nobody", status=2).stderr == "没有这个账号。\n"


def test_a_session_from_before_the_factor_was_required_reaches_nothing(
    strict: Flask, evaluator: Visitor
) -> None:
    cookie = evaluator.client.get_cookie("staff")
    assert cookie is not None
    other = Visitor(strict)
    other.client.set_cookie("staff", cookie.value)
    assert other.get("/desk/", status=303).location == ENROL


def test_the_database_ends_what_the_code_page_cannot(person: Person) -> None:
    """A session whose row is gone is no session, half or whole."""
    device = person.half()
    with person.app.app_context(), transaction() as session:
        session.execute(delete(StaffSession))
    device.get(CODE, status=303)
    person.get("/desk/", status=303)


def test_a_code_is_worth_nothing_to_another_account(person: Person, clock: Clock) -> None:
    other = Person(person.app, clock, FIELDWORKER)
    other.sign_in(FIELDWORKER)
    other.enrol()
    clock.wait(seconds=30)
    person.half().give(other.code(), status=422)
    assert stored(person.app, EVALUATOR).locked_until is None
