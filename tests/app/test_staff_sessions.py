"""Sessions that end at the server, locks that grow and open, passwords, and the auditor."""

import hashlib
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Semaphore

import pytest
from flask import Flask
from sqlalchemy import select

from app import access
from app.config import PasswordRules
from app.db import reading, transaction
from app.errors import InvalidInput
from app.formats import BEIJING
from app.models import Area, Role, SignIn, SignInOutcome, Staff, StaffSession
from app.services import accounts, passwords, tries
from tests.app.test_access_census import addresses, csrf_token, of_blueprint, staff_side
from tests.app.test_signing_in import WRONG
from tests.conftest import (
    EVALUATOR,
    FIELDWORKER,
    NOISE_EVALUATOR,
    PASSWORD,
    Command,
    House,
    NewVisitor,
    Page,
    StartApp,
    Visitor,
    Zone,
    snapshot,
)

ACCOUNT = "/staff/account/"
CHANGE, EVERYWHERE = ACCOUNT, "/staff/account/sign-out-everywhere"
SIGN_IN = "/staff/sign-in"
NEW = "Xin-mi-ma-2026"
WAIT = re.compile(r"尝试次数过多，请在北京时间 \d\d:\d\d:\d\d 以后再试。")


@dataclass(slots=True)
class Clock:
    """The clock of the staff pages, which a test winds on."""

    now: datetime

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(datetime.now(UTC))
    monkeypatch.setattr(access, "now", lambda: made.now)
    return made


def stored(app: Flask, name: str) -> Staff:
    with app.app_context(), reading() as session:
        return session.scalars(select(Staff).where(Staff.name == name)).one()


def change_staff(app: Flask, name: str, **changes: object) -> None:
    with app.app_context(), transaction() as session:
        staff = session.scalars(select(Staff).where(Staff.name == name)).one()
        for column, value in changes.items():
            setattr(staff, column, value)


def token_of(visitor: Visitor) -> str:
    with visitor.client.session_transaction() as cookie:
        token: str = cookie["token"]
    return token


def fail(visitor: Visitor, times: int, name: str = EVALUATOR) -> Page:
    for _ in range(times):
        page = visitor.sign_in(name, "wrong", status=422)
    return page


# ---------------------------------------------------------------------------------------------
# Sessions
# ---------------------------------------------------------------------------------------------


def test_half_an_hour_without_a_request_ends_a_session(evaluator: Visitor, clock: Clock) -> None:
    for _ in range(3):
        clock.wait(minutes=29)
        evaluator.get("/desk/")
    clock.wait(minutes=31)
    assert evaluator.get("/desk/", status=303).location.startswith(SIGN_IN)


def test_no_session_is_longer_than_twelve_hours(evaluator: Visitor, clock: Clock) -> None:
    for _ in range(12 * 3 - 1):
        clock.wait(minutes=20)
        evaluator.get(ACCOUNT)
    clock.wait(minutes=20)
    evaluator.get(ACCOUNT, status=303)


def test_viewing_writes_at_most_once_a_minute(app: Flask, evaluator: Visitor, clock: Clock) -> None:
    before = snapshot(app)
    clock.wait(seconds=50)
    evaluator.get("/desk/")
    assert snapshot(app) == before
    clock.wait(seconds=20)
    evaluator.get("/desk/")
    assert snapshot(app) != before


def test_a_copied_cookie_is_dead_after_signing_out(app: Flask, evaluator: Visitor) -> None:
    thief = Visitor(app)
    cookie = evaluator.client.get_cookie("staff")
    assert cookie is not None
    thief.client.set_cookie("staff", cookie.value)
    thief.get("/desk/")
    evaluator.fill("/desk/", action="/staff/sign-out")
    thief.get("/desk/", status=303)


def test_one_can_sign_out_everywhere(
    evaluator: Visitor, outsider: Visitor, new_visitor: NewVisitor
) -> None:
    other = new_visitor()
    other.sign_in(EVALUATOR)
    assert evaluator.fill(ACCOUNT, action=EVERYWHERE).location == SIGN_IN
    for device in (evaluator, other):
        device.get("/desk/", status=303)
    outsider.get("/desk/")


def test_the_database_holds_only_the_hash_of_a_token(app: Flask, visitor: Visitor) -> None:
    visitor.sign_in(EVALUATOR)
    token = token_of(visitor)
    with app.app_context(), reading() as session:
        hashes = set(session.scalars(select(StaffSession.token_hash)))
    assert hashlib.sha256(token.encode()).digest() in hashes
    assert token not in str(snapshot(app))


def test_every_sign_in_makes_another_token_and_ends_the_one_before(visitor: Visitor) -> None:
    with visitor.client.session_transaction() as cookie:
        cookie.update(token="planted", more="planted")
    visitor.sign_in(EVALUATOR)
    first = token_of(visitor)
    visitor.sign_in(EVALUATOR)
    assert len({"planted", first, token_of(visitor)}) == 3
    with visitor.client.session_transaction() as cookie:
        assert "more" not in cookie
        cookie["token"] = first
    visitor.get("/desk/", status=303)


def test_closing_an_account_ends_its_sessions(app: Flask, evaluator: Visitor) -> None:
    change_staff(app, EVALUATOR, is_closed=True)
    evaluator.get("/desk/", status=303)
    assert fail(evaluator, 1).errors == WRONG
    assert evaluator.sign_in(EVALUATOR, status=422).errors == WRONG


# ---------------------------------------------------------------------------------------------
# Locks
# ---------------------------------------------------------------------------------------------


def test_the_fifth_failure_locks_and_time_opens(app: Flask, visitor: Visitor, clock: Clock) -> None:
    assert fail(visitor, 4).errors == WRONG
    assert WAIT.fullmatch(fail(visitor, 1).errors)
    clock.wait(seconds=29)
    visitor.sign_in(EVALUATOR, status=422)
    clock.wait(seconds=1)
    visitor.sign_in(EVALUATOR)
    assert stored(app, EVALUATOR).failed_sign_ins == 0
    assert stored(app, EVALUATOR).locked_until is None


@pytest.mark.usefixtures("clock")
def test_while_locked_the_right_password_is_answered_like_a_wrong_one(visitor: Visitor) -> None:
    fail(visitor, 5)
    right = visitor.sign_in(EVALUATOR, status=422)
    assert WAIT.fullmatch(right.errors)
    assert looks(right) == looks(fail(visitor, 1))
    visitor.get("/desk/", status=303)


def test_the_sentence_says_until_when_in_beijing_time(visitor: Visitor, clock: Clock) -> None:
    clock.now = datetime.now(UTC).replace(microsecond=500)
    until = (clock.now + timedelta(seconds=31)).astimezone(BEIJING)
    assert f"北京时间 {until:%H:%M:%S} 以后" in fail(visitor, 5).errors


def test_each_further_failure_doubles_the_delay_up_to_a_quarter_of_an_hour(app: Flask) -> None:
    staff, now, delays = stored(app, EVALUATOR), datetime.now(UTC), []
    for _ in range(12):
        with app.app_context(), transaction() as session:
            refused = tries.record_password(session, staff, now, is_right=False)
        assert refused is not None
        delays.append((refused.until - now).seconds if refused.until else 0)
        now = refused.until or now
    assert delays == [0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]


def test_trying_while_locked_does_not_lengthen_the_lock(
    app: Flask, visitor: Visitor, clock: Clock
) -> None:
    fail(visitor, 5)
    until = stored(app, EVALUATOR).locked_until
    clock.wait(seconds=20)
    fail(visitor, 3)
    assert stored(app, EVALUATOR).locked_until == until
    assert stored(app, EVALUATOR).failed_sign_ins == 5


def looks(page: Page) -> tuple[int, str, list[tuple[str, str]]]:
    """Return all that a page shows, but for what was typed and its own token."""
    typed, token = page.fields()["name"][0], page.fields()["csrf_token"][0]
    body = page.body.replace(token, "").replace(f'value="{typed}"', "")
    headers = [
        each for each in page.response.headers if each[0] not in {"Content-Length", "Set-Cookie"}
    ]
    return page.status, body, headers


def test_an_unknown_name_is_answered_like_a_known_one(
    app: Flask, new_visitor: NewVisitor, clock: Clock
) -> None:
    name, known, unknown = secrets.token_hex(4), new_visitor(), new_visitor()
    for _ in range(7):
        assert looks(fail(known, 1)) == looks(fail(unknown, 1, name))
    clock.wait(seconds=30)
    assert looks(fail(known, 1)) == looks(fail(unknown, 1, name))
    assert stored(app, EVALUATOR).failed_sign_ins == 6


def test_unknown_names_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "_STRANGERS", 3)
    strangers, now = tries.Strangers(), datetime.now(UTC)
    for number in range(10):
        strangers.refuse(f"name {number}", now)
    assert len(strangers._known) == 3


@pytest.mark.parametrize(("sent", "counted"), [(4, 4), (8, 5)])
def test_failures_at_the_same_moment_all_count_until_the_lock(
    sent: int, counted: int, app: Flask, new_visitor: NewVisitor
) -> None:
    visitors = [new_visitor() for _ in range(sent)]
    with ThreadPoolExecutor(sent) as pool:
        list(pool.map(lambda each: fail(each, 1), visitors))
    assert stored(app, EVALUATOR).failed_sign_ins == counted


def test_the_right_password_among_many_at_once_is_refused_after_the_lock(app: Flask) -> None:
    """What was read before the lock does not count: the database decides when it is recorded."""
    staff, now = stored(app, EVALUATOR), datetime.now(UTC)
    with app.app_context(), transaction() as session:
        for _ in range(5):
            tries.record_password(session, staff, now, is_right=False)
    with app.app_context(), transaction() as session:
        assert tries.record_password(session, staff, now, is_right=True) is not None


def test_a_password_that_was_replaced_meanwhile_opens_nothing(app: Flask) -> None:
    staff = stored(app, EVALUATOR)
    change_staff(app, EVALUATOR, password_hash="another")
    with app.app_context(), transaction() as session:
        refused = tries.record_password(session, staff, datetime.now(UTC), is_right=True)
    assert refused == tries.Refused(None)


@contextmanager
def taken(semaphore: Semaphore, times: int) -> Iterator[None]:
    for _ in range(times):
        assert semaphore.acquire(blocking=False)
    try:
        yield
    finally:
        semaphore.release(times)


def test_whoever_finds_four_at_it_and_four_waiting_is_told_so_at_once(visitor: Visitor) -> None:
    with taken(passwords._verifiers, 4), taken(passwords._places, 8):
        page = visitor.sign_in(EVALUATOR, status=503)
    assert "现在登录的人太多" in page.text
    assert page.response.headers["Retry-After"]
    visitor.sign_in(EVALUATOR)


def test_of_thirteen_at_once_four_wait_and_five_are_sent_away(
    new_visitor: NewVisitor,
) -> None:
    """Four are being verified already; whoever waits is served as soon as they are done."""
    forms = [(each, each.get(SIGN_IN).fields()) for each in (new_visitor() for _ in range(9))]
    answered: Queue[int] = Queue()

    def sign_in(visitor: Visitor, form: dict[str, list[str]]) -> int:
        sent = {**form, "name": EVALUATOR, "password": PASSWORD}
        status = visitor.post(SIGN_IN, sent, status=None).status
        answered.put(status)
        return status

    with ThreadPoolExecutor(9) as pool:
        with taken(passwords._verifiers, 4), taken(passwords._places, 4):
            done = [pool.submit(sign_in, *each) for each in forms]
            assert [answered.get(timeout=20) for _ in range(5)] == [503] * 5
        assert sorted(each.result() for each in done) == [303] * 4 + [503] * 5


# ---------------------------------------------------------------------------------------------
# The account page
# ---------------------------------------------------------------------------------------------


def change(visitor: Visitor, new: str = NEW, *, old: str = PASSWORD, status: int = 303) -> Page:
    form = visitor.get(ACCOUNT).fields(CHANGE)
    return visitor.post(CHANGE, {**form, "old": old, "new": new, "again": new}, status=status)


def test_an_initial_password_must_be_changed_first(
    app: Flask, visitor: Visitor, here: Zone
) -> None:
    change_staff(app, EVALUATOR, must_change_password=True)
    visitor.sign_in(EVALUATOR)
    token = visitor.get(ACCOUNT).fields(EVERYWHERE)["csrf_token"]
    for method, send in (("GET", visitor.get), ("POST", visitor.post)):
        for endpoint, path in staff_side(addresses(app, here, method)).items():
            if not endpoint.startswith(("account.", "code.")):
                sent = () if method == "GET" else ({"csrf_token": token},)
                assert send(path, *sent, status=303).location == ACCOUNT
    assert "这是初始密码" in visitor.get(ACCOUNT).text
    change(visitor)
    assert "这是初始密码" not in visitor.get(ACCOUNT).text
    visitor.get("/desk/")


SHORT, KINDS = (
    "密码至少要有 10 个字符。",
    "密码要包含小写字母、大写字母、数字、其他符号中的至少三类。",
)
NAMED, SAME = "密码不能包含用户名。", "新密码不能与原密码相同。"


@pytest.mark.parametrize(
    ("new", "faults"),
    [
        ("Ab3456789", [SHORT]),
        ("abcdefghij1", [KINDS]),
        ("12345 67890", [KINDS]),
        ("xx-ZHANG-2026", [NAMED]),
        (PASSWORD, [SAME]),
        ("zhang", [SHORT, KINDS, NAMED]),
        ("", ["请填写新密码。"]),
    ],
)
def test_all_that_is_wrong_with_a_new_password_is_said_at_once(
    new: str, faults: list[str], app: Flask, evaluator: Visitor
) -> None:
    before = stored(app, EVALUATOR).password_hash
    assert change(evaluator, new, status=422).errors == " ".join(faults)
    assert stored(app, EVALUATOR).password_hash == before


@pytest.mark.parametrize(
    "new", ["Abcdefghi1", "abcdefgh-1", "ABCDEFGH-1", "密码密码密码密码aA", NEW]
)
def test_a_good_password_is_taken(new: str, evaluator: Visitor, new_visitor: NewVisitor) -> None:
    assert change(evaluator, new).location == f"{ACCOUNT}?changed=1"
    new_visitor().sign_in(EVALUATOR, new)
    new_visitor().sign_in(EVALUATOR, PASSWORD, status=422)


def test_the_other_fields_are_checked_at_the_same_time(evaluator: Visitor) -> None:
    form = evaluator.get(ACCOUNT).fields(CHANGE)
    sent = {**form, "old": "wrong", "new": "short", "again": "other"}
    page = evaluator.post(CHANGE, sent, status=422)
    assert page.errors == f"原密码不对。 {SHORT} {KINDS} 两次输入的新密码不一样。"
    assert "short" not in page.body
    assert evaluator.post(CHANGE, form, status=422).errors == "请填写原密码。 请填写新密码。"


def test_a_password_is_changed_every_180_days(evaluator: Visitor, clock: Clock) -> None:
    change(evaluator)
    clock.wait(days=180, seconds=-1)
    visitor = Visitor(evaluator.app)
    visitor.sign_in(EVALUATOR, NEW)
    visitor.get("/desk/")
    clock.wait(seconds=1)
    assert visitor.get("/desk/", status=303).location == ACCOUNT
    assert "密码已用满 180 天" in visitor.get(ACCOUNT).text
    change(visitor, "Xin-mi-ma-2027", old=NEW)
    visitor.get("/desk/")


def test_passwords_of_demo_accounts_do_not_expire(app: Flask, visitor: Visitor) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=999)
    change_staff(app, EVALUATOR, password_changed_at=long_ago, is_demo=True)
    visitor.sign_in(EVALUATOR)
    visitor.get("/desk/")


@pytest.fixture
def by_asvs(start_app: StartApp) -> Visitor:
    """The evaluator, where the rules for passwords are those of ASVS."""
    visitor = Visitor(start_app(password_rules=PasswordRules.ASVS))
    visitor.sign_in(EVALUATOR)
    return visitor


def test_by_asvs_no_password_expires(by_asvs: Visitor) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=999)
    change_staff(by_asvs.app, EVALUATOR, password_changed_at=long_ago)
    by_asvs.get("/desk/")


SHORT_ASVS, COMMON = (
    "密码至少要有 8 个字符，最好 15 个以上。",
    "这个密码太常见，很容易被猜到。",
)
CONTEXT = "密码不能包含本系统的名称。"


@pytest.mark.parametrize(
    ("new", "faults"),
    [
        ("xqz-vbn", [SHORT_ASVS]),
        ("qwerty", [SHORT_ASVS, COMMON]),
        ("Password1", [COMMON]),
        ("iloveyou", [COMMON]),
        ("my-MinPing-key", [CONTEXT]),
        ("民评民评民评民评", [CONTEXT]),
        ("zhang-of-the-desk", [NAMED]),
        (PASSWORD, [SAME]),
    ],
)
def test_by_asvs_a_password_must_not_be_easy_to_guess(
    new: str, faults: list[str], by_asvs: Visitor
) -> None:
    assert change(by_asvs, new, status=422).errors == " ".join(faults)


@pytest.mark.parametrize(
    "new", ["xqz vbnw", "correct horse battery staple", "县里的秋天很凉快", "x" * 64]
)
def test_by_asvs_a_password_may_be_of_any_signs(new: str, by_asvs: Visitor) -> None:
    assert "至少 8 个字符" in by_asvs.get(ACCOUNT).text
    change(by_asvs, new)
    Visitor(by_asvs.app).sign_in(EVALUATOR, new)


def test_enough_common_passwords_are_known() -> None:
    """ASVS 6.2.4: the 3000 most common ones that are long enough to be tried at all."""
    assert sum(len(each) >= 8 for each in passwords._common()) > 3000


def test_another_password_signs_all_other_devices_out(
    evaluator: Visitor, outsider: Visitor, new_visitor: NewVisitor
) -> None:
    other = new_visitor()
    other.sign_in(EVALUATOR)
    change(evaluator)
    evaluator.get("/desk/")
    other.get("/desk/", status=303)
    outsider.get("/desk/")


@pytest.mark.usefixtures("clock")
def test_guessing_the_old_password_locks_too(evaluator: Visitor, new_visitor: NewVisitor) -> None:
    for _ in range(4):
        assert change(evaluator, old="wrong", status=422).errors == "原密码不对。"
    assert WAIT.fullmatch(change(evaluator, old="wrong", status=422).errors)
    assert WAIT.fullmatch(change(evaluator, status=422).errors)
    new_visitor().sign_in(EVALUATOR, status=422)


def test_two_changes_at_once_leave_one_password(app: Flask) -> None:
    staff, now = stored(app, EVALUATOR), datetime.now(UTC)
    with app.app_context(), transaction() as session:
        accounts.change_password(session, staff, "first", 0, now)
    with (
        app.app_context(),
        pytest.raises(InvalidInput),
        transaction() as session,
    ):
        accounts.change_password(session, staff, "second", 0, now)
    assert stored(app, EVALUATOR).password_hash == "first"


def test_a_demo_account_keeps_its_password(app: Flask, evaluator: Visitor) -> None:
    form = evaluator.get(ACCOUNT).fields(CHANGE)
    change_staff(app, EVALUATOR, is_demo=True)
    before = snapshot(app)
    sent = {**form, "old": PASSWORD, "new": NEW, "again": NEW}
    assert "演示账号不能修改密码" in evaluator.post(CHANGE, sent, status=403).text
    page = evaluator.get(ACCOUNT)
    assert "演示账号不能修改密码" in page.text
    assert not page.html.all("form", action=CHANGE)
    assert snapshot(app) == before


def test_everybody_sees_the_last_tries_on_their_own_account(visitor: Visitor, clock: Clock) -> None:
    clock.now = datetime(2027, 1, 2, 20, 30, tzinfo=UTC)
    fail(visitor, 5, FIELDWORKER)
    fail(visitor, 2, NOISE_EVALUATOR)
    clock.wait(seconds=1)
    fail(visitor, 1, FIELDWORKER)
    clock.wait(minutes=1)
    visitor.sign_in(FIELDWORKER)
    rows = [row.text for row in visitor.get(ACCOUNT).html.all("tr")][1:]
    assert rows[:3] == [
        "2027年01月03日 04:31 已登录",
        "2027年01月03日 04:30 锁定期间的尝试",
        "2027年01月03日 04:30 密码不对",
    ]
    assert len(rows) == 1 + 1 + 5


def test_the_list_of_tries_is_short(app: Flask, evaluator: Visitor, house: House) -> None:
    with app.app_context(), transaction() as session:
        staff = session.get_one(Staff, house.world.staff[EVALUATOR])
        outcome, now = SignInOutcome.REFUSED, datetime.now(UTC)
        session.add_all(SignIn(staff_id=staff.id, at=now, outcome=outcome) for _ in range(30))
    assert len(evaluator.get(ACCOUNT).html.all("tr")) == 1 + 20


def test_what_is_old_is_cleared_away(app: Flask, visitor: Visitor, clock: Clock) -> None:
    visitor.sign_in(EVALUATOR)  # and never seen again
    visitor.sign_in(FIELDWORKER)
    visitor.fill(ACCOUNT, action="/staff/sign-out")
    clock.wait(days=30, hours=11)
    Visitor(app).sign_in(EVALUATOR)

    def clear() -> accounts.Cleared:
        with app.app_context(), transaction() as session:
            return accounts.clear_old(session, clock.now)

    assert clear() == accounts.Cleared(sessions=2, sign_ins=0)
    clock.wait(days=184 - 31, hours=13)
    assert clear() == accounts.Cleared(sessions=1, sign_ins=2)
    with app.app_context(), reading() as session:
        assert len(session.scalars(select(SignIn)).all()) == 1
    assert clear() == accounts.Cleared(sessions=0, sign_ins=0)


# ---------------------------------------------------------------------------------------------
# The auditor reads and changes nothing
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def auditor(app: Flask, here: Zone, password_hash: str) -> Visitor:
    with app.app_context(), transaction() as session:
        area = session.get_one(Area, here.area)
        made = Staff(name="shenji", role=Role.AUDITOR, area_id=area.id, is_demo=False)
        made.password_hash = password_hash
        session.add(made)
    visitor = Visitor(app)
    assert visitor.sign_in("shenji").location == "/desk/"
    return visitor


def test_an_auditor_reads_every_page_of_the_desk(app: Flask, auditor: Visitor, here: Zone) -> None:
    for path in of_blueprint("desk", addresses(app, here, "GET")):
        page = auditor.get(path)
        changing = [form for form in page.html.all("form", method="post") if form.all("button")]
        allowed = {"/staff/sign-out"}
        if path != "/desk/surveys/new":  # the form may be read; it has no button
            assert {form.attributes.get("action") for form in changing} <= allowed, path
        assert not page.html.all("a", href="/desk/surveys/new"), path
        assert "/field/" not in page.body, path


def test_an_auditor_changes_nothing_at_the_desk(app: Flask, auditor: Visitor, here: Zone) -> None:
    token = auditor.get("/desk/").fields("/staff/sign-out")["csrf_token"]
    paths = of_blueprint("desk", addresses(app, here, "POST"))
    assert paths
    before = snapshot(app)
    for path in paths:
        auditor.post(path, {"csrf_token": token, "to": "closed"}, status=403)
    assert snapshot(app) == before


def test_an_auditor_reaches_no_card(app: Flask, auditor: Visitor, here: Zone) -> None:
    token = auditor.get("/desk/").fields("/staff/sign-out")["csrf_token"]
    for path in of_blueprint("field", addresses(app, here, "GET")):
        auditor.get(path, status=403)
    for path in of_blueprint("field", addresses(app, here, "POST")):
        auditor.post(path, {"csrf_token": token}, status=403)


def test_an_auditor_has_an_account_like_everybody(auditor: Visitor) -> None:
    change(auditor)


def test_who_may_change_may_also_read() -> None:
    for audience in access.AUDIENCES.values():
        assert audience.changing <= audience.reading


def test_an_evaluator_still_has_the_buttons(evaluator: Visitor, here: Zone) -> None:
    assert evaluator.get("/desk/").html.all("a", href="/desk/surveys/new")
    assert evaluator.get(f"/desk/surveys/{here.survey}").html.all("button", value="closed")
    assert csrf_token(evaluator)


# ---------------------------------------------------------------------------------------------
# The commands
# ---------------------------------------------------------------------------------------------


def states(flask: Command) -> dict[str, str]:
    lines = [line.split("\t") for line in flask("staff", "list").stdout.splitlines()]
    return {line[0]: line[3] for line in lines}


def test_a_closed_account_is_signed_out_and_listed_so(flask: Command, evaluator: Visitor) -> None:
    assert states(flask)[EVALUATOR] == "正常"
    assert flask("staff", "close", EVALUATOR).stdout == f"{EVALUATOR}\n"
    evaluator.get("/desk/", status=303)
    assert states(flask)[EVALUATOR] == "已停用"
    assert flask("staff", "reset", EVALUATOR, status=2).stderr == "name: 这个账号已停用。\n"


def test_a_locked_account_can_be_unlocked(flask: Command, visitor: Visitor) -> None:
    fail(visitor, 5)
    assert states(flask)[EVALUATOR].startswith("锁定到 ")
    visitor.sign_in(EVALUATOR, status=422)
    flask("staff", "unlock", EVALUATOR)
    visitor.sign_in(EVALUATOR)


def test_a_password_is_reset_to_an_initial_one(
    flask: Command, evaluator: Visitor, visitor: Visitor
) -> None:
    fail(visitor, 5)
    name, password = flask("staff", "reset", EVALUATOR).stdout.split()
    assert name == EVALUATOR
    assert states(flask)[EVALUATOR] == "待修改初始密码"
    evaluator.get("/desk/", status=303)
    visitor.sign_in(EVALUATOR, PASSWORD, status=422)
    visitor.sign_in(EVALUATOR, password)
    assert visitor.get("/desk/", status=303).location == ACCOUNT


@pytest.mark.parametrize("command", ["close", "unlock", "reset"])
def test_an_unknown_account_is_said_to_be_unknown(command: str, flask: Command) -> None:
    assert flask("staff", command, "nobody", status=2).stderr == "没有这个账号。\n"
