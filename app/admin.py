"""Accounts on the screen: administrators look after those of their branch, auditors read."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from app import access
from app.db import reading, transaction
from app.errors import InvalidInput, NotAllowed
from app.forms import plain_text, show_faults
from app.models import Role, Staff
from app.services import accounts, areas, audit, passwords, second_factor

blueprint = Blueprint("admin", __name__, url_prefix="/staff/accounts")

_ROLES = {
    # The first is what a new account gets unless somebody chooses: the one that may do least.
    Role.FIELDWORKER: _("调查员"),
    Role.EVALUATOR: _("评价人员"),
    Role.AUDITOR: _("审计人员"),
    Role.ADMINISTRATOR: _("管理员"),
}
_STATES = {
    accounts.AccountState.OPEN: _("正常"),
    accounts.AccountState.INITIAL: _("待修改初始密码"),
    accounts.AccountState.LOCKED: _("暂时锁定"),
    accounts.AccountState.CLOSED: _("已停用"),
}


class PlaceForm(FlaskForm):  # type: ignore[misc]
    """What a person is here to do, and where; only areas of the administrator's own branch."""

    role = SelectField(
        _("身份"), choices=[SelectChoice(role.value, name) for role, name in _ROLES.items()]
    )
    area = SelectField(_("片区"), coerce=int)


class NewForm(PlaceForm):
    """A new account."""

    name = StringField(_("用户名"), [DataRequired(_("请填写用户名。")), Length(max=64), plain_text])


class ChangeForm(PlaceForm):
    """Another role or area, and why."""

    reason = TextAreaField(
        _("理由"), [DataRequired(_("请填写理由。")), Length(max=2000), plain_text]
    )


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """List the accounts of my branch."""
    with reading() as database:
        found = accounts.load_staff_within(database, access.current_staff().area)
    now = access.now()
    rows = [(each, _STATES[accounts.state_of(each, now)], last) for each, last in found]
    return render_template("admin/home.html", rows=rows, roles=_ROLES)


@blueprint.get("/new")
def new() -> ResponseReturnValue:
    """Show the form for a new account."""
    with reading() as database:
        return render_template("admin/new.html", form=_with_areas(database, NewForm()))


@blueprint.post("/new")
def add() -> ResponseReturnValue:
    """Add an account; show its initial password, this once."""
    password = passwords.draw_password()
    password_hash = passwords.hash_password(password)
    with transaction() as database:
        form = _with_areas(database, NewForm())
        if not form.validate_on_submit():
            return render_template("admin/new.html", form=form), 422
        area = areas.find_area(database, form.area.data, access.current_staff().area)
        role, name = Role(form.role.data), form.name.data
        try:
            added = accounts.add_staff(database, name, role, area, password_hash)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return render_template("admin/new.html", form=form), 422
        actor, action = access.current_staff().name, audit.Action.STAFF_ADDED
        access.record(database, audit.staff_changed(actor, action, added, None))
    return render_template("admin/password.html", account=added, password=password)


@blueprint.get("/<id:staff_id>")
def account(staff_id: int) -> ResponseReturnValue:
    """Show an account of my branch, and what can be done with it."""
    with reading() as database:
        found = accounts.find_staff_within(database, staff_id, access.current_staff().area)
        form = ChangeForm(role=found.role.value, area=found.area_id)
        return _account_page(found, _with_areas(database, form))


@blueprint.post("/<id:staff_id>")
def change(staff_id: int) -> ResponseReturnValue:
    """Give a person another role or area, with a reason."""
    with transaction() as database:
        found = _other(database, staff_id)
        form = _with_areas(database, ChangeForm())
        if not form.validate_on_submit():
            return _account_page(found, form), 422
        before = audit.staff_facts(found)
        area = areas.find_area(database, form.area.data, access.current_staff().area)
        accounts.change_staff(found, Role(form.role.data), area)
        actor, action = access.current_staff().name, audit.Action.STAFF_CHANGED
        access.record(database, audit.staff_changed(actor, action, found, before, form.reason.data))
    return redirect(url_for("admin.account", staff_id=staff_id), 303)


@blueprint.post("/<id:staff_id>/close")
def close(staff_id: int) -> ResponseReturnValue:
    """Close an account for good."""
    with _changing(staff_id, audit.Action.STAFF_CLOSED) as (database, found):
        accounts.close_staff(database, found, access.now())
    return redirect(url_for("admin.account", staff_id=staff_id), 303)


@blueprint.post("/<id:staff_id>/unlock")
def unlock(staff_id: int) -> ResponseReturnValue:
    """Let somebody try again at once who was locked out."""
    with _changing(staff_id, audit.Action.STAFF_UNLOCKED) as (_database, found):
        accounts.unlock_staff(found)
    return redirect(url_for("admin.account", staff_id=staff_id), 303)


@blueprint.post("/<id:staff_id>/reset-factor")
def reset_factor(staff_id: int) -> ResponseReturnValue:
    """Take away the second factor of somebody who lost the phone."""
    with _changing(staff_id, audit.Action.FACTOR_RESET) as (database, found):
        second_factor.reset_factor(database, found, access.now())
    return redirect(url_for("admin.account", staff_id=staff_id), 303)


@blueprint.post("/<id:staff_id>/reset-password")
def reset_password(staff_id: int) -> ResponseReturnValue:
    """Give an account another initial password and show it, this once."""
    password = passwords.draw_password()
    password_hash = passwords.hash_password(password)
    with _changing(staff_id, audit.Action.PASSWORD_RESET) as (database, found):
        accounts.reset_password(database, found, password_hash, access.now())
    return render_template("admin/password.html", account=found, password=password)


@contextmanager
def _changing(staff_id: int, action: audit.Action) -> Iterator[tuple[Session, Staff]]:
    """Open the transaction of an act on another's account, and put it on record at its end."""
    with transaction() as database:
        found = _other(database, staff_id)
        before = audit.staff_facts(found)
        yield database, found
        actor = access.current_staff().name
        access.record(database, audit.staff_changed(actor, action, found, before))


def _other(database: Session, staff_id: int) -> Staff:
    me = access.current_staff()
    found = accounts.find_staff_within(database, staff_id, me.area, to_change=True)
    if found.id == me.id:
        raise NotAllowed(_("自己的账号要由另一位管理员来管理。"))
    return found


def _with_areas(database: Session, form: PlaceForm) -> PlaceForm:
    branch = areas.load_open(database, access.current_staff().area)
    form.area.choices = [SelectChoice(area.id, area.name) for area in branch]
    return form


def _account_page(found: Staff, form: PlaceForm) -> str:
    return render_template(
        "admin/account.html",
        account=found,
        state=accounts.state_of(found, access.now()),
        states=_STATES,
        roles=_ROLES,
        form=form,
    )
