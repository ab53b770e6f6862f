"""Tokens of the API: made for one branch and shown once, listed and revoked."""

from datetime import timedelta

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import BooleanField, DateField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from app.access import current_staff, now, record
from app.config import settings
from app.db import reading, transaction
from app.errors import InvalidInput
from app.formats import date_of
from app.forms import plain_text, show_faults
from app.services import areas, audit, tokens

blueprint = Blueprint("tokens", __name__, url_prefix="/desk/tokens")

_USUAL_DAYS = 90


class TokenForm(FlaskForm):  # type: ignore[misc]
    """A new token: for which system, for which area, for how long."""

    name = StringField(
        _("给哪个系统用"),
        [DataRequired(_("请写明给哪个系统用。")), Length(max=tokens.LONGEST_NAME), plain_text],
    )
    area = SelectField(_("片区"), coerce=int)
    expires_on = DateField(
        _("有效期（这一天仍可用，最长一年）"), [DataRequired(_("请填写有效期。"))]
    )
    reads_answers = BooleanField(_("还可以导出单份答卷（编码，不含文字）"))

    def plan(self) -> tokens.TokenPlan:
        """Return what was filled in."""
        return tokens.TokenPlan(
            self.name.data or "", self.expires_on.data, reads_answers=self.reads_answers.data
        )


@blueprint.get("/")
def home() -> ResponseReturnValue:
    """List the tokens of my branch, and offer to make one."""
    form = TokenForm(expires_on=date_of(now()) + timedelta(days=_USUAL_DAYS))
    with reading() as session:
        return _page(session, form)


@blueprint.post("/")
def make() -> ResponseReturnValue:
    """Make a token; show it, this once."""
    with transaction() as session:
        form, staff = _with_areas(session, TokenForm()), current_staff()
        if not form.validate_on_submit():
            return _page(session, form), 422
        area = areas.find_area(session, form.area.data, staff.area)
        keys = settings().keys
        try:
            made, token = tokens.make_token(session, keys, area, form.plan(), staff, now())
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _page(session, form), 422
        record(session, audit.token_changed(staff.name, audit.Action.TOKEN_MADE, made))
    return render_template("desk/token.html", made=made, token=token)


@blueprint.post("/<id:token_id>/revoke")
def revoke(token_id: int) -> ResponseReturnValue:
    """Take a token out of force."""
    with transaction() as session:
        found = tokens.find_token(session, token_id, current_staff().area)
        tokens.revoke_token(session, found, now())
        act = audit.token_changed(current_staff().name, audit.Action.TOKEN_REVOKED, found)
        record(session, act)
    return redirect(url_for("tokens.home"), 303)


def _with_areas(session: Session, form: TokenForm) -> TokenForm:
    branch = areas.load_branch(session, current_staff().area)
    form.area.choices = [SelectChoice(area.id, area.name) for area in branch]
    return form


def _page(session: Session, form: TokenForm) -> str:
    return render_template(
        "desk/tokens.html",
        form=_with_areas(session, form),
        tokens=tokens.load_tokens(session, current_staff().area),
        today=date_of(now()),
    )
