"""A fieldworker goes back to somebody else's interviews, and asks a few questions again."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.access import current_staff, now, record
from app.db import reading, transaction
from app.errors import InvalidInput, NotFound, Problem
from app.field.views import blueprint
from app.models import BackCheckOutcome, Survey
from app.services import audit, back_checks, collecting, publishing
from app.services.back_checks import DrawnCheck
from surveys.questionnaire import Question


@blueprint.get("/surveys/<id:survey_id>/back-checks")
def checks(survey_id: int) -> ResponseReturnValue:
    """List the interviews in my area that were drawn and that I may check."""
    staff = current_staff()
    with reading() as session:
        survey = publishing.find_survey_reaching(session, survey_id, staff.area)
        waiting = back_checks.load_checks_for(session, survey, staff.area, staff)
    return render_template("field/back_checks.html", survey=survey, checks=waiting)


@blueprint.get("/surveys/<id:survey_id>/back-checks/<id:check_id>")
def check(survey_id: int, check_id: int) -> ResponseReturnValue:
    """Show which interview to go back to, and what to ask; never what was answered."""
    with reading() as session:
        try:
            survey, found, questions = _find(session, survey_id, check_id)
        except NotFound:
            publishing.find_survey_reaching(session, survey_id, current_staff().area)
            return redirect(url_for("field.checks", survey_id=survey_id), 303)
    return _page(survey, found, questions)


@blueprint.post("/surveys/<id:survey_id>/back-checks/<id:check_id>")
def record_check(survey_id: int, check_id: int) -> ResponseReturnValue:
    """Store what came of asking again."""
    moment = now()
    with transaction() as session:
        survey, found, questions = _find(session, survey_id, check_id)
        try:
            outcome = BackCheckOutcome(request.form.get("outcome", ""))
        except ValueError:
            return _page(survey, found, questions, _("请选择回访的结果。")), 422
        again = {each.id: request.form.get(f"again-{each.id}", "") for each in questions}
        if any(again[each.id] not in {"", *each.codes} for each in questions):
            raise Problem
        staff = current_staff()
        try:
            back_checks.record_check(session, survey, found, outcome, again, staff, moment)
        except InvalidInput as refusal:
            return _page(survey, found, questions, str(refusal.faults["outcome"])), 422
        act = audit.back_check_recorded(staff.name, survey, found.area, found.number, outcome)
        # No instant finer than the hour: whoever saw the visit would know whose answers they are.
        record(session, act, at=moment.replace(minute=0, second=0, microsecond=0))
    return redirect(url_for("field.checks", survey_id=survey_id), 303)


def _find(
    session: Session, survey_id: int, check_id: int
) -> tuple[Survey, DrawnCheck, list[Question]]:
    staff = current_staff()
    survey = publishing.find_survey_reaching(session, survey_id, staff.area)
    found = back_checks.find_check(session, survey, staff.area, staff, check_id)
    asked = collecting.load_questionnaire(session, survey.questionnaire.digest)
    plan = back_checks.plan_or_none(session, survey)
    return survey, found, [asked.question(name) for name in (plan.questions if plan else ())]


def _page(survey: Survey, found: DrawnCheck, questions: list[Question], fault: str = "") -> str:
    return render_template(
        "field/back_check.html",
        survey=survey,
        check=found,
        questions=questions,
        fault=fault,
        typed=request.form,
        outcomes=[
            (BackCheckOutcome.ASKED_AGAIN, _("见到了，重问了下面的题")),
            (BackCheckOutcome.NEVER_INTERVIEWED, _("见到了，对方说没有接受过访问")),
            (BackCheckOutcome.NOT_REACHED, _("没有找到人，或不愿意再答")),
        ],
    )
