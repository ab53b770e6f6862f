"""Accounts on the screen: an administrator's own branch, never oneself, and all on record."""

from collections.abc import Sequence

import pytest
from flask import Flask
from sqlalchemy import select

from app.db import reading, transaction
from app.models import Area, AuditEntry, Role, Staff
from tests.app.test_access_census import addresses, of_blueprint
from tests.app.test_staff_sessions import ACCOUNT, change_staff, stored
from tests.conftest import (
    ADMINISTRATOR,
    AUDITOR,
    EVALUATOR,
    FIELDWORKER,
    NOISE_EVALUATOR,
    House,
    Page,
    Visitor,
    World,
    Zone,
    snapshot,
)

HOME, NEW = "/staff/accounts/", "/staff/accounts/new"
ACTS = ("close", "unlock", "reset-password", "reset-factor")


def page_of(world: World, name: str) -> str:
    return f"{HOME}{world.staff[name]}"


def press(visitor: Visitor, page: str, act: str, *, status: int = 303) -> Page:
    return visitor.fill(page, action=f"{page}/{act}", status=status)


def newest(app: Flask) -> AuditEntry:
    with app.app_context(), reading() as session:
        query = select(AuditEntry).order_by(AuditEntry.number.desc())
        entry = session.scalars(query).first()
    assert entry is not None
    return entry


def changed(app: Flask) -> dict[str, Sequence[object]]:
    """Return what the newest act changed: from what to what."""
    entry = newest(app)
    assert entry.before is not None
    assert entry.after is not None
    assert entry.before.keys() == entry.after.keys()
    pairs = ((name, entry.before[name], entry.after[name]) for name in entry.before)
    return {name: (before, after) for name, before, after in pairs if before != after}


@pytest.fixture
def other_administrator(house: House, noise: Zone, password_hash: str) -> Visitor:
    """The administrator of the other zone."""
    with house.app.app_context(), transaction() as session:
        made = Staff(name="waidi", role=Role.ADMINISTRATOR, area_id=noise.area, is_demo=False)
        made.password_hash = password_hash
        session.add(made)
    visitor = Visitor(house.app)
    visitor.sign_in("waidi")
    return visitor


# ---------------------------------------------------------------------------------------------
# Who sees what
# ---------------------------------------------------------------------------------------------


def test_the_list_shows_the_accounts_of_the_branch(
    app: Flask, administrator: Visitor, visitor: Visitor
) -> None:
    visitor.sign_in(FIELDWORKER)
    change_staff(app, FIELDWORKER, factor_seed=b"0" * 16, factor_step=1)
    rows = administrator.get(HOME).html.rows()
    del rows["用户名"]
    assert set(rows) == {ADMINISTRATOR, EVALUATOR, FIELDWORKER, AUDITOR}
    role, area, state, last, factor = rows[FIELDWORKER]
    assert (role, area, state, factor) == ("调查员", "忠门镇", "正常", "已设置")
    assert last.startswith("20")
    assert rows[EVALUATOR][4] == "未设置"


def test_an_administrator_of_a_town_sees_that_town(
    app: Flask, administrator: Visitor, here: Zone
) -> None:
    change_staff(app, ADMINISTRATOR, area_id=here.towns[0])
    rows = administrator.get(HOME).html.rows()
    assert set(rows) - {"用户名"} == {ADMINISTRATOR, FIELDWORKER}


def test_accounts_of_another_branch_are_not_found(
    app: Flask, other_administrator: Visitor, world: World
) -> None:
    token = other_administrator.get("/desk/").fields("/staff/sign-out")["csrf_token"]
    before = snapshot(app)
    for name in (EVALUATOR, FIELDWORKER, ADMINISTRATOR):
        page = page_of(world, name)
        assert name not in other_administrator.get(HOME).text
        other_administrator.get(page, status=404)
        sent = {"csrf_token": token, "role": "auditor", "area": "1", "reason": "x"}
        for path in (page, *(f"{page}/{act}" for act in ACTS)):
            other_administrator.post(path, sent, status=404)
    assert snapshot(app) == before


def test_an_account_above_ones_own_branch_is_not_found(
    app: Flask, administrator: Visitor, here: Zone, world: World
) -> None:
    change_staff(app, ADMINISTRATOR, area_id=here.towns[0])
    administrator.get(page_of(world, EVALUATOR), status=404)


@pytest.mark.parametrize("name", [EVALUATOR, FIELDWORKER])
def test_nobody_else_reaches_accounts(name: str, app: Flask, here: Zone) -> None:
    visitor = Visitor(app)
    home = visitor.sign_in(name).location
    token = visitor.get(home).fields("/staff/sign-out")["csrf_token"]
    assert not visitor.get(home).html.all("a", href=HOME)
    before = snapshot(app)
    for path in of_blueprint("admin", addresses(app, here, "GET")):
        visitor.get(path, status=403)
    for path in of_blueprint("admin", addresses(app, here, "POST")):
        visitor.post(path, {"csrf_token": token}, status=403)
    assert snapshot(app) == before


def test_an_auditor_reads_and_changes_nothing(app: Flask, here: Zone) -> None:
    change_staff(app, EVALUATOR, role=Role.AUDITOR)
    auditor = Visitor(app)
    auditor.sign_in(EVALUATOR)
    token = auditor.get("/desk/").fields("/staff/sign-out")["csrf_token"]
    before = snapshot(app)
    for path in of_blueprint("admin", addresses(app, here, "GET")):
        forms = auditor.get(path).html.all("form", method="post")
        buttons = [form.attributes.get("action") for form in forms if form.all("button")]
        assert buttons == ["/staff/sign-out"], path
    for path in of_blueprint("admin", addresses(app, here, "POST")):
        auditor.post(path, {"csrf_token": token}, status=403)
    assert snapshot(app) == before


# ---------------------------------------------------------------------------------------------
# Adding
# ---------------------------------------------------------------------------------------------


def test_an_account_is_added_and_its_password_shown_once(
    app: Flask, administrator: Visitor, here: Zone, visitor: Visitor
) -> None:
    page = administrator.fill(NEW, status=200, name="wang", area=str(here.towns[1]))
    name, password = (each.text for each in page.html.all("code"))
    assert name == "wang"
    assert page.response.headers["Cache-Control"] == "no-store"
    added = stored(app, "wang")
    assert (added.role, added.area_id, added.must_change_password) == (
        Role.FIELDWORKER,
        here.towns[1],
        True,
    )
    assert password not in administrator.get(f"{HOME}{added.id}").body
    assert password not in str(snapshot(app))
    visitor.sign_in("wang", password)
    assert visitor.get("/field/", status=303).location == ACCOUNT
    entry = newest(app)
    assert entry.action == "signed_in"
    with app.app_context(), reading() as session:
        query = select(AuditEntry).where(AuditEntry.action == "staff_added")
        entry = session.scalars(query).one()
    assert (entry.actor, entry.object, entry.before) == (ADMINISTRATOR, f"staff {added.id}", None)
    assert entry.after is not None
    assert (entry.after["name"], entry.after["role"]) == ("wang", "fieldworker")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "请填写用户名。"),
        (EVALUATOR, "这个用户名已被使用。"),
        ("command line", "用户名只能用文字、数字和 . _ -，最多 64 个。"),
        ("<b>", "用户名只能用文字、数字和 . _ -，最多 64 个。"),
    ],
)
def test_what_is_wrong_with_a_new_account_is_said(
    name: str, said: str, app: Flask, administrator: Visitor
) -> None:
    before = snapshot(app)
    page = administrator.fill(NEW, status=422, name=name)
    assert page.errors == said
    assert page.fields()["name"] == [name]
    assert snapshot(app) == before


@pytest.mark.parametrize("path", ["new", FIELDWORKER])
@pytest.mark.parametrize("sent", [{"role": "king"}, {"area": "noise"}, {"area": "x"}], ids=str)
def test_neither_a_made_up_role_nor_an_area_elsewhere_is_taken(
    path: str,
    sent: dict[str, str],
    app: Flask,
    administrator: Visitor,
    noise: Zone,
    world: World,
) -> None:
    before = snapshot(app)
    filled = {name: str(noise.area) if value == "noise" else value for name, value in sent.items()}
    if path == "new":
        administrator.fill(NEW, status=422, name="wang", **filled)
    else:
        page = page_of(world, path)
        administrator.fill(page, action=page, status=422, reason="x", **filled)
    assert snapshot(app) == before


def test_only_what_the_forms_ask_for_is_taken(
    app: Flask, administrator: Visitor, world: World, here: Zone
) -> None:
    extra = {"is_demo": "1", "must_change_password": "", "password_hash": "x", "is_closed": "1"}
    extra |= {"id": "1", "factor_seed": "x", "failed_sign_ins": "9", "staff_id": "1"}
    extra |= {"role": "auditor", "area": str(here.area)}
    page, before = page_of(world, FIELDWORKER), stored(app, FIELDWORKER)
    form = administrator.get(NEW).fields()
    administrator.post(NEW, {**form, **extra, "name": "wang"}, status=200)
    form = administrator.get(page).fields(page)
    administrator.post(page, {**form, **extra, "reason": "轮岗", "name": "other"})
    for name in ("wang", FIELDWORKER):
        staff = stored(app, name)
        assert (staff.role, staff.area_id) == (Role.AUDITOR, here.area)
        assert not staff.is_demo
        assert not staff.is_closed
        assert (staff.factor_seed, staff.failed_sign_ins) == (None, 0)
        assert staff.must_change_password is (name == "wang")
    assert stored(app, FIELDWORKER).password_hash == before.password_hash


# ---------------------------------------------------------------------------------------------
# Changing
# ---------------------------------------------------------------------------------------------


def test_another_role_takes_effect_while_signed_in(
    app: Flask, administrator: Visitor, evaluator: Visitor, world: World
) -> None:
    evaluator.get("/desk/")
    page = page_of(world, EVALUATOR)
    administrator.fill(page, action=page, role="fieldworker", reason="轮岗到现场")
    evaluator.get("/desk/", status=403)
    evaluator.get("/field/")
    entry = newest(app)
    assert (entry.action, entry.reason) == ("staff_changed", "轮岗到现场")
    assert changed(app) == {"role": ("evaluator", "fieldworker")}
    text = administrator.get("/desk/audit").text
    assert "轮岗到现场" in text
    assert "更改身份或片区" in text


def test_another_area_takes_effect_while_signed_in(
    app: Flask, administrator: Visitor, evaluator: Visitor, world: World, here: Zone
) -> None:
    page = page_of(world, EVALUATOR)
    administrator.fill(page, action=page, area=str(here.towns[2]), reason="调到镇里")
    evaluator.get(f"/desk/surveys/{here.survey}", status=404)
    assert changed(app) == {"area": ("北岸经济开发区", "山亭镇")}


def test_a_reason_is_asked_for(app: Flask, administrator: Visitor, world: World) -> None:
    page, before = page_of(world, EVALUATOR), snapshot(app)
    refused = administrator.fill(page, action=page, role="auditor", status=422)
    assert refused.errors == "请填写理由。"
    assert refused.fields(page)["role"] == ["auditor"]
    assert snapshot(app) == before


def test_a_closed_account_is_closed_for_good(
    app: Flask, administrator: Visitor, evaluator: Visitor, world: World
) -> None:
    page = page_of(world, EVALUATOR)
    press(administrator, page, "close")
    evaluator.get("/desk/", status=303)
    assert changed(app) == {"closed": (False, True)}
    shown = administrator.get(page)
    assert "已停用" in shown.text
    assert not shown.html.all("form", action=f"{page}/reset-password")
    token = shown.fields("/staff/sign-out")["csrf_token"]
    administrator.post(f"{page}/reset-password", {"csrf_token": token}, status=422)
    assert newest(app).action == "staff_closed"


def test_a_locked_account_is_unlocked(
    app: Flask, administrator: Visitor, visitor: Visitor, world: World
) -> None:
    for _ in range(5):
        visitor.sign_in(EVALUATOR, "wrong", status=422)
    page = page_of(world, EVALUATOR)
    assert "暂时锁定" in administrator.get(page).text
    press(administrator, page, "unlock")
    assert changed(app) == {"failed_sign_ins": (5, 0)}
    visitor.sign_in(EVALUATOR)


def test_a_password_is_reset(
    app: Flask, administrator: Visitor, evaluator: Visitor, visitor: Visitor, world: World
) -> None:
    shown = press(administrator, page_of(world, EVALUATOR), "reset-password", status=200)
    _name, password = (each.text for each in shown.html.all("code"))
    assert changed(app) == {"initial_password": (False, True)}
    evaluator.get("/desk/", status=303)
    visitor.sign_in(EVALUATOR, status=422)
    visitor.sign_in(EVALUATOR, password)
    assert visitor.get("/desk/", status=303).location == ACCOUNT


def test_a_second_factor_is_reset(
    app: Flask, administrator: Visitor, evaluator: Visitor, world: World
) -> None:
    page = page_of(world, EVALUATOR)
    assert not administrator.get(page).html.all("form", action=f"{page}/reset-factor")
    change_staff(app, EVALUATOR, factor_seed=b"0" * 16, factor_step=1)
    press(administrator, page, "reset-factor")
    assert changed(app) == {"second_factor": (True, False)}
    evaluator.get("/desk/", status=303)


def test_nobody_manages_the_own_account(app: Flask, administrator: Visitor, world: World) -> None:
    page = page_of(world, ADMINISTRATOR)
    shown = administrator.get(page)
    assert "要由另一位管理员来管理" in shown.text
    token = shown.fields("/staff/sign-out")["csrf_token"]
    before = snapshot(app)
    sent = {"csrf_token": token, "role": "auditor", "area": "1", "reason": "x"}
    for path in (page, *(f"{page}/{act}" for act in ACTS)):
        administrator.post(path, sent, status=403)
    assert snapshot(app) == before


def test_a_name_is_shown_as_text(app: Flask, administrator: Visitor) -> None:
    with app.app_context(), transaction() as session:
        name = "<script>alert(1)</script>"
        session.scalars(select(Staff).where(Staff.name == EVALUATOR)).one().name = name
        area = session.scalars(select(Area).where(Area.name == "忠门镇")).one()
        area.name = name
    assert not administrator.get(HOME).html.all("script")
    assert stored(app, NOISE_EVALUATOR).name not in administrator.get(HOME).text
