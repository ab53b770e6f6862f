"""Sealing a closed survey, and every seal it has, to be taken away and kept."""

from flask import Response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import StringField
from wtforms.validators import Length

from app.access import current_staff, now, record
from app.attachments import download
from app.config import settings
from app.db import reading, transaction
from app.desk.answers import blueprint as answers
from app.desk.views import blueprint
from app.errors import InvalidInput
from app.forms import plain_text, show_faults
from app.models import Survey
from app.services import audit, publishing, results, sealing, seals


class SealForm(FlaskForm):  # type: ignore[misc]
    """The reason of a correction; a first seal needs none."""

    reason = StringField(
        _("更正的理由"), [Length(max=sealing.LONGEST_REASON), plain_text], default=""
    )


@blueprint.get("/surveys/<id:survey_id>/seals")
def seals_page(survey_id: int) -> ResponseReturnValue:
    """Show whether a survey is sealed, and every revision with what it changed."""
    with reading() as session:
        return _page(session, _find(session, survey_id), SealForm())


@blueprint.post("/surveys/<id:survey_id>/seals")
def seal(survey_id: int) -> ResponseReturnValue:
    """Seal a closed survey, or a correction of it."""
    with transaction() as session:
        found, form = _find(session, survey_id), SealForm()
        if not form.validate_on_submit():
            return _page(session, found, form), 422
        name = current_staff().name
        reason = form.reason.data.strip()
        order = sealing.Sealing(name, now(), audit.load_head(session), reason)
        try:
            made = sealing.seal_survey(session, found, order, settings().keys)
        except InvalidInput as refusal:
            show_faults(form, refusal)
            return _page(session, found, form), 422
        record(session, audit.survey_sealed(name, found, made))
    return redirect(url_for("desk.seals_page", survey_id=survey_id), 303)


@answers.get("/seals/<id:revision>.zip")
def export_seal(survey_id: int, revision: int) -> Response:
    """Hand out a sealed bundle, which whoever has it can verify by itself.

    It holds single answer sheets, so that it has their audience.
    """
    with transaction() as session:
        found = _find(session, survey_id)
        made = seals.load_bundle(session, found, revision)
        record(session, audit.seal_exported(current_staff().name, found, made))
    title = f"{found.title} {_('封存')} {revision}"
    return download(made.bundle, "application/zip", title, f"seal-{found.id}-{revision}", "zip")


def _find(session: Session, survey_id: int) -> Survey:
    return publishing.find_survey(session, survey_id, current_staff().area)


def _page(session: Session, survey: Survey, form: SealForm) -> str:
    return render_template(
        "desk/seals.html",
        survey=survey,
        form=form,
        evidence=results.load_evidence(session, survey),
        seals=seals.load_seals(session, survey),
        place_name=sealing.place_name,
        brief=sealing.brief,
    )
