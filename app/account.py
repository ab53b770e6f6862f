"""One's own account, for every role: the password, the last tries, and all devices at once."""

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import PasswordField
from wtforms.validators import DataRequired, EqualTo, Length

from app import access
from app.config import settings
from app.db import reading, transaction
from app.errors import InvalidInput, NotAllowed
from app.services import accounts, audit, devices, passwords, second_factor, tries

blueprint = Blueprint("account", __name__, url_prefix="/staff/account")


class PasswordForm(FlaskForm):  # type: ignore[misc]
    """The old password, and the new one twice."""

    old = PasswordField(_("原密码"), [DataRequired(_("请填写原密码。")), Length(max=200)])
    new = PasswordField(_("新密码"), [DataRequired(_("请填写新密码。")), Length(max=200)])
    again = PasswordField(_("再输一次新密码"), [EqualTo("new", _("两次输入的新密码不一样。"))])

    def validate(self, extra_validators: object = None) -> bool:
        """Check every field, and the new password by the rules; all faults at once."""
        is_filled: bool = super().validate(extra_validators)
        if not self.new.data:
            return False
        name, old = access.current_staff().name, self.old.data or ""
        faults = passwords.password_faults(settings().password_rules, name, old, self.new.data)
        self.new.errors = [*self.new.errors, *faults]
        return is_filled and not faults


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Show the last tries on my account and the form for another password."""
    return _page(PasswordForm())


@blueprint.post("/")
def change_password() -> ResponseReturnValue:
    """Store another password; every other device is signed out."""
    staff, device = access.current_staff(), access.current_device()
    form = PasswordForm()
    if staff.is_demo:
        raise NotAllowed(_("演示账号不能修改密码，以便所有人都能继续使用演示。"))
    is_valid = form.validate_on_submit()
    if form.old.errors:
        return _page(form)
    is_mine = access.confirm_password(form.old, _("原密码不对。"))
    if not is_mine or not is_valid:
        return _page(form)
    password_hash = passwords.hash_password(form.new.data)
    try:
        with transaction() as database:
            accounts.change_password(database, staff, password_hash, device.id, access.now())
            act = audit.staff_act(staff.name, audit.Action.PASSWORD_CHANGED, staff)
            access.record(database, act)
    except InvalidInput as refusal:
        form.old.errors = [*refusal.faults.values()]
        return _page(form)
    return redirect(url_for("account.home", changed=1), 303)


@blueprint.post("/sign-out-everywhere")
def sign_out_everywhere() -> ResponseReturnValue:
    """End all my sessions, this one too."""
    with transaction() as database:
        devices.end_sessions(database, access.current_staff(), access.now())
    session.clear()
    return redirect(url_for("signin.sign_in"), 303)


def _page(form: PasswordForm) -> ResponseReturnValue:
    staff, rules = access.current_staff(), settings().password_rules
    with reading() as database:
        sign_ins = tries.load_sign_ins(database, staff)
        codes_left = second_factor.count_recovery_codes(database, staff)
    page = render_template(
        "account.html",
        form=form,
        sign_ins=sign_ins,
        codes_left=codes_left,
        rules=rules,
        must_change=passwords.must_change(staff, rules, access.now()),
        is_changed=request.args.get("changed") == "1",
    )
    return page, 422 if form.errors else 200
