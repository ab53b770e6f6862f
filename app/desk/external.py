"""Rates that other sources counted, entered by hand with their source."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length

from app.access import current_staff, now, record
from app.db import reading, transaction
from app.desk.imports import blueprint
from app.errors import InvalidInput
from app.forms import plain_text, show_faults
from app.models import Survey
from app.services import audit, collecting, external, publishing, survey_areas
from app.services.external import RatePlan
from surveys.questionnaire import Questionnaire


class RateForm(FlaskForm):  # type: ignore[misc]
    """What another source counted."""

    measure = SelectField(_("测量项"))
    area = SelectField(_("片区"), coerce=int)
    numerator = IntegerField(_("其中多少人（分子）"), [InputRequired(_("请填写人数。"))])
    base = IntegerField(_("总共多少人（基数）"), [InputRequired(_("请填写人数。"))])
    source = StringField(
        _("来源：哪份文件、哪一天、谁提供的"), [Length(max=external.LONGEST_SOURCE), plain_text]
    )


@blueprint.get("/surveys/<id:survey_id>/external")
def external_rates(survey_id: int) -> ResponseReturnValue:
    """Show the rates of other sources, and ask for more."""
    with reading() as session:
        survey, asked = _find(session, survey_id)
        return _page(session, survey, asked, _form(session, survey, asked))


@blueprint.post("/surveys/<id:survey_id>/external")
def enter_external_rate(survey_id: int) -> ResponseReturnValue:
    """Enter one rate of another source."""
    with transaction() as session:
        survey, asked = _find(session, survey_id)
        form, staff = _form(session, survey, asked), current_staff()
        if not form.validate_on_submit():
            return _page(session, survey, asked, form), 422
        place = survey_areas.find_area_of(session, survey, form.area.data, staff.area)
        plan = RatePlan(
            form.measure.data, form.numerator.data, form.base.data, form.source.data or ""
        )
        try:
            rate = external.enter_rate(session, survey, asked, place, plan, staff, now())
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _page(session, survey, asked, form), 422
        record(session, audit.rate_entered(staff.name, survey, rate, place))
    return redirect(url_for("imports.external_rates", survey_id=survey_id), 303)


@blueprint.post("/surveys/<id:survey_id>/external/<id:rate_id>/withdraw")
def withdraw_external_rate(survey_id: int, rate_id: int) -> ResponseReturnValue:
    """Take a rate of another source off the results, with a reason."""
    reason = request.form.get("reason", "").replace("\0", "").strip()[:500]
    with transaction() as session:
        survey, _asked = _find(session, survey_id)
        rate = external.find_external_rate(session, survey, rate_id)
        external.withdraw_rate(session, rate, reason, now())
        act = audit.rate_withdrawn(current_staff().name, survey, rate, rate.area, reason)
        record(session, act)
    return redirect(url_for("imports.external_rates", survey_id=survey_id), 303)


def _find(session: Session, survey_id: int) -> tuple[Survey, Questionnaire]:
    survey = publishing.find_survey(session, survey_id, current_staff().area)
    return survey, collecting.load_questionnaire(session, survey.questionnaire.digest)


def _form(session: Session, survey: Survey, asked: Questionnaire) -> RateForm:
    form = RateForm()
    form.measure.choices = [
        SelectChoice(one.id, one.name) for one in asked.measures if not one.per_option
    ]
    form.area.choices = [
        SelectChoice(place.id, place.name)
        for place in survey_areas.load_places(session, survey, current_staff().area)
    ]
    return form


def _page(session: Session, survey: Survey, asked: Questionnaire, form: RateForm) -> str:
    return render_template(
        "desk/external.html",
        survey=survey,
        form=form,
        names={one.id: one.name for one in asked.measures},
        rates=external.load_external_rates(session, survey),
    )
