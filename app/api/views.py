"""Version 1: figures of the surveys in a token's branch of the area tree, never of another's."""

from flask import Blueprint, Response, json, request

from analysis.scoring import feed as feeds
from analysis.scoring.rubric import Rubric
from analysis.scoring.uncertainty import sheet_dict
from app.access import current_token, now, record
from app.attachments import file_attachment
from app.db import reading, transaction
from app.errors import NotAllowed, NotFound
from app.errors import say as _
from app.models import Survey
from app.services import answer_export, audit, documents, evaluating, publishing, results, rubrics

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@blueprint.get("/surveys")
def surveys() -> Response:
    """List the surveys of the token's branch, the newest first."""
    with reading() as session:
        found = publishing.load_surveys(session, current_token().area)
    return _json({"surveys": [documents.survey(each) for each in found]})


@blueprint.get("/surveys/<id:survey_id>/rates")
def rates(survey_id: int) -> Response:
    """Hand out every measure, overall and by `by`: area, channel or a question with one choice."""
    evidence, by = _evidence(survey_id), request.args.get("by", "area")
    found = results.measure_results(evidence, by)
    _record_handed_out(evidence.survey, audit.Action.RATES_EXPORTED)
    return _json(documents.rates(evidence, found, by))


@blueprint.get("/surveys/<id:survey_id>/feed")
def feed(survey_id: int) -> Response:
    """Hand out the measurements for a rubric."""
    evidence = _evidence(survey_id)
    rubric = _rubric(evidence)
    made = evaluating.make_feed(evidence, rubric, now())
    _record_handed_out(evidence.survey, audit.Action.FEED_DOWNLOADED, rubric)
    return Response(feeds.dump(made), mimetype="application/json")


@blueprint.get("/surveys/<id:survey_id>/scores")
def scores(survey_id: int) -> Response:
    """Hand out the score sheet of a rubric."""
    evidence = _evidence(survey_id)
    rubric = _rubric(evidence)
    sheet = evaluating.score_survey(evidence, rubric)
    _record_handed_out(evidence.survey, audit.Action.SCORES_EXPORTED, rubric)
    return _json(sheet_dict(sheet))


@blueprint.get(f"/surveys/<id:survey_id>/export.<any({', '.join(answer_export.FORMS)}):form>")
def export(survey_id: int, form: str) -> Response:
    """Hand out the coded answers of a closed survey, to a token that may read them."""
    evidence = _evidence(survey_id)
    if not current_token().reads_answers:
        raise NotAllowed(_("这个令牌不能导出单份答卷，请管理员另做一个可以的。"))
    content = answer_export.answers_file(evidence, form)
    _record_handed_out(evidence.survey, audit.Action.ANSWERS_EXPORTED, form=form)
    title = f"{evidence.survey.title} 单份答卷"
    return file_attachment(content, form, title, f"answers-{survey_id}")


def _evidence(survey_id: int) -> results.Evidence:
    with reading() as session:
        survey = publishing.find_survey(session, survey_id, current_token().area)
        return results.load_evidence(session, survey)


def _rubric(evidence: results.Evidence) -> Rubric:
    """Return the rubric that was asked for, else the one that this survey feeds the most of."""
    with reading() as session:
        if asked := request.args.get("rubric"):
            return rubrics.find_rubric(session, asked, current_token().area)
        offered = rubrics.offered(session, current_token().area)
    fed = evaluating.rubrics_for(evidence, offered)
    if not fed:
        raise NotFound(_("没有这份问卷能测量的指标体系，请用 rubric 指明一个。"))
    return fed[0][0]


def _record_handed_out(
    survey: Survey, action: audit.Action, rubric: Rubric | None = None, form: str = "json"
) -> None:
    actor, rubric_id = audit.by_token(current_token()), rubric.id if rubric else None
    with transaction() as session:
        record(session, audit.results_exported(actor, action, survey, form, rubric_id))


def _json(document: object) -> Response:
    text = json.dumps(document, ensure_ascii=False, indent=2, sort_keys=False)
    return Response(text, mimetype="application/json")
