"""Coded answer sheets to take away, for evaluators and administrators of the area alone."""

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from app.access import current_staff, record
from app.attachments import file_attachment
from app.db import reading, transaction
from app.models import Survey
from app.services import answer_export, audit, publishing, results

blueprint = Blueprint("answers", __name__, url_prefix="/desk/surveys/<id:survey_id>")


@blueprint.get("/answers")
def page(survey_id: int) -> ResponseReturnValue:
    """Say what can be taken away, and what is left out of it."""
    with reading() as session:
        return render_template("desk/answers.html", survey=_find(session, survey_id))


@blueprint.get(f"/answers.<any({', '.join(answer_export.FORMS)}):form>")
def export(survey_id: int, form: str) -> Response:
    """Hand out the coded answers of a closed survey."""
    with reading() as session:
        evidence = results.load_evidence(session, _find(session, survey_id))
    survey = evidence.survey
    content = answer_export.answers_file(evidence, form)
    made = file_attachment(content, form, f"{survey.title} 单份答卷", f"answers-{survey.id}")
    action = audit.Action.ANSWERS_EXPORTED
    with transaction() as session:
        record(session, audit.results_exported(current_staff().name, action, survey, form))
    return made


def _find(session: Session, survey_id: int) -> Survey:
    return publishing.find_survey(session, survey_id, current_staff().area)
