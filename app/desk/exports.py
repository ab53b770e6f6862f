"""Results as files: drawn first, put on record, and only then handed out (decision 17)."""

from collections.abc import Sequence

from flask import Response, request

from app.access import current_staff, record
from app.attachments import FORMS, attachment
from app.db import reading, transaction
from app.desk.views import blueprint
from app.models import Survey
from app.services import audit, evaluating, exporting, publishing, results, rubrics
from app.spreadsheets.writing import Sheet

_FORM = f"<any({', '.join(FORMS)}):form>"


@blueprint.get(f"/surveys/<id:survey_id>/rates.{_FORM}")
def export_rates(survey_id: int, form: str) -> Response:
    """Hand out every measure, overall and by town; `?official` without what is not reliable."""
    evidence = _evidence(survey_id)
    sheets = [exporting.rates_sheet(evidence, is_official="official" in request.args)]
    act = audit.results_exported(
        current_staff().name, audit.Action.RATES_EXPORTED, evidence.survey, form
    )
    return _hand_out(evidence.survey, sheets, act, form, "rates")


@blueprint.get(f"/surveys/<id:survey_id>/tables.{_FORM}")
def export_tables(survey_id: int, form: str) -> Response:
    """Hand out the frequency tables."""
    evidence = _evidence(survey_id)
    sheets = [exporting.tables_sheet(evidence)]
    act = audit.results_exported(
        current_staff().name, audit.Action.TABLES_EXPORTED, evidence.survey, form
    )
    return _hand_out(evidence.survey, sheets, act, form, "tables")


@blueprint.get("/surveys/<id:survey_id>/scores/<rubric_id>/sheet.xlsx")
def export_scores(survey_id: int, rubric_id: str) -> Response:
    """Hand out the score sheet: each indicator with its working, and the sums."""
    evidence = _evidence(survey_id)
    with reading() as session:
        rubric = rubrics.find_rubric(session, rubric_id, current_staff().area)
    sheets = exporting.score_sheets(evidence, evaluating.score_survey(evidence, rubric))
    act = audit.results_exported(
        current_staff().name, audit.Action.SCORES_EXPORTED, evidence.survey, "xlsx", rubric_id
    )
    return _hand_out(evidence.survey, sheets, act, "xlsx", "scores")


def _evidence(survey_id: int) -> results.Evidence:
    with reading() as session:
        survey = publishing.find_survey(session, survey_id, current_staff().area)
        return results.load_evidence(session, survey)


def _hand_out(
    survey: Survey, sheets: Sequence[Sheet], act: audit.Act, form: str, plain: str
) -> Response:
    title = f"{survey.title} {sheets[0].title}"
    made = attachment(sheets, form, title, f"{plain}-{survey.id}")
    with transaction() as session:
        record(session, act)
    return made
