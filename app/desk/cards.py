"""Where a survey's cards are, how many of those asked answered, and how many are wanted."""

from datetime import UTC, datetime

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import IntegerField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from app.access import current_staff, record
from app.alarms import card_alarm
from app.db import reading, transaction
from app.desk.views import blueprint
from app.errors import InvalidInput
from app.formats import channel_name, date_of
from app.forms import show_faults
from app.models import CardState, Channel, Survey
from app.services import audit, ledger, publishing, survey_areas, targets


class TargetForm(FlaskForm):  # type: ignore[misc]
    """How many answer sheets are wanted from an area by one channel."""

    area = SelectField(_("片区"), coerce=int)
    channel = SelectField(_("调查方式"))
    number = IntegerField(_("目标份数（0 为取消）"), [InputRequired(_("请填写目标份数。"))])


@blueprint.get("/surveys/<id:survey_id>/cards")
def cards(survey_id: int) -> ResponseReturnValue:
    """Show the ledger of a survey's cards with response rates, and its targets."""
    with reading() as session:
        found = _find(session, survey_id)
        return _cards_page(session, found, _target_form(session, found))


@blueprint.post("/surveys/<id:survey_id>/cards")
def set_target(survey_id: int) -> ResponseReturnValue:
    """Set how many answer sheets are wanted from an area by one channel."""
    with transaction() as session:
        found = _find(session, survey_id)
        form = _target_form(session, found)
        if not form.validate_on_submit():
            return _cards_page(session, found, form), 422
        try:
            _set_target(session, found, form)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _cards_page(session, found, form), 422
    return redirect(url_for("desk.cards", survey_id=survey_id), 303)


def _set_target(session: Session, survey: Survey, form: TargetForm) -> None:
    area = survey_areas.find_area_of(session, survey, form.area.data, current_staff().area)
    channel, number = Channel(form.channel.data), form.number.data
    before = targets.set_target(session, survey, area, channel, number)
    if (before or 0) != number:
        name = current_staff().name
        record(session, audit.target_set(name, survey, area, channel, before, number))


def _find(session: Session, survey_id: int) -> Survey:
    return publishing.find_survey(session, survey_id, current_staff().area)


def _target_form(session: Session, survey: Survey) -> TargetForm:
    form = TargetForm()
    form.area.choices = [
        SelectChoice(place.id, place.name)
        for place in survey_areas.load_places(session, survey, current_staff().area)
    ]
    form.channel.choices = [SelectChoice(each.value, channel_name(each)) for each in Channel]
    return form


def _cards_page(session: Session, survey: Survey, form: TargetForm) -> str:
    moment, branch = datetime.now(UTC), current_staff().area
    found = ledger.load_ledger(session, survey, branch, date_of(moment))
    differences = ledger.find_differences(session, [row.batch for row in found.batches])
    return render_template(
        "desk/cards.html",
        survey=survey,
        ledger=found,
        states=list(CardState),
        alarm=card_alarm(differences),
        targets=targets.load_progress(session, survey, branch, moment),
        form=form,
    )
