"""Paper questionnaires at the desk: how many are keyed twice, and how well they were keyed."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import IntegerField
from wtforms.validators import InputRequired

from app.access import current_staff, record
from app.db import reading, transaction
from app.desk.imports import blueprint
from app.errors import InvalidInput
from app.forms import show_faults
from app.models import Survey
from app.services import audit, publishing, slips


class DoubleEntryForm(FlaskForm):  # type: ignore[misc]
    """How many of a hundred slips two people key."""

    share = IntegerField(
        _("每 100 份问卷里有几份要两个人各录一遍（0 到 100）"),
        [InputRequired(_("请填 0 到 100 的整数。"))],
    )


@blueprint.get("/surveys/<id:survey_id>/paper")
def paper(survey_id: int) -> ResponseReturnValue:
    """Show how many slips are keyed twice, where they are, and how alike they were keyed."""
    with reading() as session:
        survey = publishing.find_survey(session, survey_id, current_staff().area)
        return _page(session, survey, DoubleEntryForm(share=100))


@blueprint.post("/surveys/<id:survey_id>/paper")
def set_double_entry(survey_id: int) -> ResponseReturnValue:
    """Say how many slips are keyed twice, before the first is keyed."""
    with transaction() as session:
        survey, form = (
            publishing.find_survey(session, survey_id, current_staff().area),
            DoubleEntryForm(),
        )
        if not form.validate_on_submit():
            return _page(session, survey, form), 422
        try:
            before = slips.set_double_entry(session, survey, form.share.data)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _page(session, survey, form), 422
        actor = current_staff().name
        record(session, audit.double_entry_set(actor, survey, before, form.share.data))
    return redirect(url_for("imports.paper", survey_id=survey_id), 303)


def _page(session: Session, survey: Survey, form: DoubleEntryForm) -> str:
    branch = current_staff().area
    questions, keyers = slips.load_agreement(session, survey, branch)
    return render_template(
        "desk/paper.html",
        survey=survey,
        form=form,
        double_entry=slips.find_double_entry(session, survey),
        counts=slips.count_slips(session, survey, branch),
        questions=questions,
        keyers=keyers,
    )
