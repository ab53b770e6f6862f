"""The second factor: asked for after the password, set up by its owner, and stood in for once."""

import base64
from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired, Length

from app import access
from app.config import settings
from app.db import reading, transaction
from app.errors import InvalidInput, NotAllowed
from app.forms import plain_text, show_faults
from app.models import SignInOutcome, Staff
from app.services import audit, devices, second_factor, tries

half_blueprint = Blueprint("code", __name__, url_prefix="/staff/code")
blueprint = Blueprint("factor", __name__, url_prefix="/staff/second-factor")


class CodeForm(FlaskForm):  # type: ignore[misc]
    """The code that the phone shows now, or a recovery code."""

    code = StringField(
        _("验证码或恢复码"), [DataRequired(_("请填写验证码。")), Length(max=64), plain_text]
    )


class EnrolForm(FlaskForm):  # type: ignore[misc]
    """The first code of a phone, and the password."""

    code = StringField(
        _("手机上显示的 6 位验证码"),
        [DataRequired(_("请填写验证码。")), Length(max=64), plain_text],
    )
    password = PasswordField(_("您的密码"), [DataRequired(_("请填写密码。")), Length(max=200)])


class RecoveryForm(FlaskForm):  # type: ignore[misc]
    """The password, for another set of recovery codes."""

    password = PasswordField(_("您的密码"), [DataRequired(_("请填写密码。")), Length(max=200)])


@half_blueprint.get("/")
def ask() -> ResponseReturnValue:
    """Ask for the code that the phone shows now."""
    return _code_page(CodeForm())


@half_blueprint.post("/")
def check() -> ResponseReturnValue:
    """Take a code and sign the person in; lead on to where they wanted to go."""
    staff, moment, form = access.half_signed_in(), access.now(), CodeForm()
    if not form.validate_on_submit():
        return _code_page(form)
    with transaction() as database:
        outcome = tries.record_code(database, settings().keys, staff, form.code.data, moment)
        if isinstance(outcome, SignInOutcome):
            # Two right codes at once, or the account closed meanwhile: nothing of this is kept.
            if not devices.end_session(database, session["token"], moment):
                raise NotAllowed(_("这次登录已经结束，请重新登录。"))
            token = devices.open_session(database, staff, moment, outcome)
            if outcome is SignInOutcome.RECOVERED:
                used = audit.Action.RECOVERY_CODE_USED
                access.record(database, audit.staff_act(staff.name, used, staff))
            act = audit.staff_act(staff.name, audit.Action.SIGNED_IN, staff)
            access.record(database, act)
    if isinstance(outcome, tries.Refused):
        wrong = _("这个码不对，或已用过。请等手机显示下一个验证码再试。")
        form.code.errors = [access.refusal_sentence(outcome, wrong)]
        return _code_page(form)
    session.clear()
    session["token"] = token
    wanted = access.local(request.args.get("next"))
    return redirect(wanted or access.home_of(staff), 303)


def _code_page(form: CodeForm) -> ResponseReturnValue:
    return render_template("factor/code.html", form=form), 422 if form.errors else 200


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """Show a new secret, as a QR code and to type in."""
    return _enrol_page(EnrolForm())


@blueprint.post("/")
def enrol() -> ResponseReturnValue:
    """Store the second factor that a code confirms; show the recovery codes, this once."""
    staff, device, moment = _owner(), access.current_device(), access.now()
    form, keys, seed = EnrolForm(), settings().keys, _offered_seed()
    is_valid = form.validate_on_submit()
    step = None
    if not form.code.errors:
        secret = second_factor.secret_of(keys, staff, seed)
        step = second_factor.step_or_none(secret, form.code.data, moment)
        if step is None:
            form.code.errors = [_("验证码不对。请确认手机的时间是准的，再填现在显示的 6 位数字。")]
    is_mine = not form.password.errors and access.confirm_password(form.password, _("密码不对。"))
    if not is_valid or not is_mine or step is None:
        return _enrol_page(form)
    try:
        with transaction() as database:
            codes = second_factor.enrol(database, keys, staff, seed, step, device.id, moment)
            act = audit.staff_act(staff.name, audit.Action.FACTOR_ENROLLED, staff)
            access.record(database, act)
    except InvalidInput as refusal:
        show_faults(form, refusal)
        return _enrol_page(form)
    del session["seed"]
    return _recovery_codes_page(codes)


@blueprint.get("/recovery-codes")
def recovery_codes() -> ResponseReturnValue:
    """Say how many recovery codes are left, and offer others."""
    return _recovery_page(RecoveryForm())


@blueprint.post("/recovery-codes")
def replace_recovery_codes() -> ResponseReturnValue:
    """Make other recovery codes and show them, this once."""
    staff, form = access.current_staff(), RecoveryForm()
    if staff.factor_seed is None:
        return redirect(url_for("factor.home"), 303)
    if not form.validate_on_submit() or not access.confirm_password(form.password, _("密码不对。")):
        return _recovery_page(form)
    with transaction() as database:
        codes = second_factor.replace_recovery_codes(database, settings().keys, staff)
        act = audit.staff_act(staff.name, audit.Action.RECOVERY_CODES_MADE, staff)
        access.record(database, act)
    return _recovery_codes_page(codes)


def _owner() -> Staff:
    staff = access.current_staff()
    if staff.is_demo:
        raise NotAllowed(_("演示账号大家共用，不能设置两步验证。"))
    return staff


def _offered_seed() -> bytes:
    # In the signed cookie, so that opening the page again offers the same secret and nothing is
    # stored before a code confirms it. Without the key it yields no secret.
    if "seed" not in session:
        session["seed"] = second_factor.draw_seed().hex()
    return bytes.fromhex(session["seed"])


def _enrol_page(form: EnrolForm) -> ResponseReturnValue:
    staff = _owner()
    secret = second_factor.secret_of(settings().keys, staff, _offered_seed())
    image = base64.b64encode(second_factor.secret_image(staff, secret)).decode()
    page = render_template("factor/enrol.html", form=form, secret=secret, image=image)
    return page, 422 if form.errors else 200


def _recovery_page(form: RecoveryForm) -> ResponseReturnValue:
    staff = access.current_staff()
    if staff.factor_seed is None:
        return redirect(url_for("factor.home"), 303)
    with reading() as database:
        left = second_factor.count_recovery_codes(database, staff)
    page = render_template("factor/recovery.html", form=form, left=left)
    return page, 422 if form.errors else 200


def _recovery_codes_page(codes: Sequence[str]) -> ResponseReturnValue:
    return render_template("factor/codes.html", codes=codes)
